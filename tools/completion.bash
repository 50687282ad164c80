# Completion of Hourglass's programs in bash: their --help lists their options, and the values where these are few.
_hourglass_programs="adversarial_ae_mnist augmentation_mnist conv_ae_mnist cvae_mnist denoising_ae_mnist flow_vae_mnist iwae_mnist \
    mlp_ae_mnist mlp_classifier_mnist poem_vae stacked_ae_mnist vae_gan_mnist vae_mnist vq_vae_mnist"
_hourglass() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} help values
    COMPREPLY=()
    if [ "${COMP_WORDS[0]##*/}" = hourglass ]; then
        [ "$COMP_CWORD,${COMP_WORDS[1]}" != 2,train ] || mapfile -t COMPREPLY < <(compgen -W "$_hourglass_programs" -- "$word")
        [ "$COMP_CWORD" -ne 1 ] || mapfile -t COMPREPLY < <(compgen -W \
            "train resume inspect compare generate reconstruct denoise encode decode score edit export --help --version" -- "$word")
        return
    fi
    if [ "${COMP_WORDS[0]##*/}" = hourglass-inspect ]; then
        [[ $word != -* ]] || mapfile -t COMPREPLY < <(compgen -W "--json --help --version" -- "$word")
        return
    fi
    help=$("${COMP_WORDS[0]}" --help 2> /dev/null) || return
    if [[ $before == --* ]]; then
        values=$(sed -n "s/^  $before \([^ ]*|[^ ]*\).*/\1/p" <<< "$help" | tr '|' ' ')
        [ -z "$values" ] || { mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word"); return; }
    fi
    [[ $word != -* ]] || mapfile -t COMPREPLY < <(compgen -W "$(grep -o '^  [-h, ]*--[a-z-]*' <<< "$help" | tr -d ' ,' |
        sed 's/^-h//')" -- "$word")
}
# shellcheck disable=SC2086
complete -o default -F _hourglass hourglass hourglass-compare hourglass-inspect $_hourglass_programs
