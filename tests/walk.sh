#!/bin/sh
# Walks through README.md on a fresh Debian: types each command of it, to the program of your own, into a new system made with
# debootstrap, and compares what that program prints; no compiler may warn. Once as a user, who builds, runs the tests and installs in
# the home folder, and once as root, on another fresh system, who finds the folder as the user has left it and installs for everybody.
# Nothing is set that the README does not set. Run from the project's folder, as root; takes minutes.
#
#   tests/walk.sh [--cached]     --cached keeps the bare system and the packages for the next time, in ~/.cache/hourglass-walk
set -eu

skip() {
    echo "walk: skipped, $1"
    exit 0
}
[ "$(id -u)" -eq 0 ] || skip 'as it needs root'
command -v debootstrap > /dev/null || skip 'as debootstrap is not installed'
. /etc/os-release
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2> /dev/null |
    awk -v suite="${VERSION_CODENAME:-}" '$1 == suite { print $2; exit }')
[ "$ID" = debian ] && [ "$mirror" ] || skip 'as apt has no Debian mirror'
unshare --mount --pid --fork true 2> /dev/null || skip 'as namespaces are not allowed'

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/hourglass-walk-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cache=$dir/cache
[ "${1:-}" = --cached ] && cache=${XDG_CACHE_HOME:-$HOME/.cache}/hourglass-walk
mkdir -p "$cache/archives"

# in_system ROOT COMMAND ...: runs it there, in namespaces that end with it.
in_system() {
    root=$1
    shift
    unshare --mount --pid --fork sh -eu -c '
        root=$1
        shift
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mkdir -p "$root/var/cache/apt/archives"
        mount --bind "$0" "$root/var/cache/apt/archives"
        exec chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    ' "$cache/archives" "$root" "$@"
}

# ---- A fresh machine, with sudo and a user who may use it. ----

base=$cache/$VERSION_CODENAME.tar
if [ ! -f "$base" ]; then
    echo "walk: debootstrap $VERSION_CODENAME"
    mkdir "$dir/base"
    debootstrap --variant=minbase --include=sudo "$VERSION_CODENAME" "$dir/base" "$mirror" > "$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
    in_system "$dir/base" useradd --create-home --shell /bin/sh walker
    echo 'walker ALL=(ALL) NOPASSWD: ALL' > "$dir/base/etc/sudoers.d/walker"
    # Packages that are kept are not fetched twice.
    echo 'APT::Keep-Downloaded-Packages "true"; Binary::apt-get::APT::Keep-Downloaded-Packages "true";' > "$dir/base/etc/apt/apt.conf.d/keep"
    rm -f "$dir/base/etc/apt/apt.conf.d/docker-clean"
    tar -cf "$base.new" -C "$dir/base" . && mv "$base.new" "$base"
    rm -rf "$dir/base"
fi

# ---- What the README says, in the version that is walked. ----

make -s dist
tarball=$(ls hourglass-[0-9]*.tar.gz)
rm -f hourglass-amalgamation-*.tar.gz
mv "$tarball" "$dir/"
name=${tarball%.tar.gz}
tar -xzf "$dir/$tarball" -C "$dir"
readme=$dir/$name/README.md
# Indented lines up to where the program is built, and what it prints.
awk '/^## As fast|^The headers work/ { exit } /^    [^ ]/ && !code { sub(/^    /, ""); print } /^```/ { code = !code }' "$readme" > "$dir/lines"
grep -v '^step ' "$dir/lines" > "$dir/commands"
grep '^step ' "$dir/lines" > "$dir/expected"
cp "$dir/$name/models/examples/xor.c" "$dir" # tests/readme.sh: the README's program

# walk NAME USER HOME PATTERN: types the commands but those with the pattern, and keeps what was built for the next walk.
walk() {
    system=$dir/$1 user=$2 home=$3
    mkdir "$system"
    tar -xf "$base" -C "$system"
    cp /etc/resolv.conf /etc/hosts "$system/etc/"
    apt-config dump | grep -i '^Acquire::.*proxy' > "$system/etc/apt/apt.conf.d/proxy" || true
    in_system "$system" apt-get update -qq
    cp -a "$dir/$name" "$dir/xor.c" "$system$home/"
    cp "$dir/xor.c" "$system$home/$name/"
    [ ! -d ../shared/datasets/mnist ] || # for the tests that need it
        { mkdir -p "$system$home/shared/datasets" && cp -r ../shared/datasets/mnist "$system$home/shared/datasets/"; }
    {
        echo 'set -e'
        grep -v "$4" "$dir/commands" | while IFS= read -r line; do
            printf 'printf "%%s\\n" %s >&3\n%s\n' "'    $(printf %s "$line" | sed "s/'/'\\\\''/g")'" "$line"
        done
    } > "$system$home/commands"
    in_system "$system" chown -R "$user" "$home"
    echo "walk: as $user, on a fresh $PRETTY_NAME:"
    start=$(date +%s)
    in_system "$system" setpriv --reuid="$user" --regid="$user" --init-groups env HOME="$home" \
        sh -c 'cd "$1" && exec sh ../commands 3>&2 > ../log 2>&1' sh "$home/$name" || { tail -n 40 "$system$home/log"; echo "walk: failed as $user"; exit 1; }
    ! grep -E ':[0-9]+: warning:|ld: warning:' "$system$home/log" || { echo "walk: warnings as $user"; exit 1; }
    grep '^step ' "$system$home/log" | cmp - "$dir/expected" || { echo 'walk: the program prints something else'; exit 1; }
    grep -E 'Synthesis|passed, ' "$system$home/log" || true
    echo "walk: as $user: all of it works, in $(($(date +%s) - start)) s"
    rm -rf "${dir:?}/$name" "$system$home/$name/runs"
    mv "$system$home/$name" "$dir/"
    rm -rf "$system"
}
walk home walker /home/walker 'sudo make install'
walk root root /root '\.local\|make test'
