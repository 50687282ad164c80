/* Nothing lost: what is done to a run's folder, files, streams and signals from outside. */
#ifndef AG_DOUBLE
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nn/safetensors.h"
#include "tests/support/programs.h"
#include "tests/test.h"

/* Runs shell commands, in which $d is the folder, $vae and $inspect are programs, $small are options of a small run,
 * and $resume is a command that goes on with $d/run. */
static int sh(const char *command)
{
    char small[256], resume[768], whole[1900];
    snprintf(small, sizeof small, "--data %s/data --hidden 24 --latent 3 --batch 64 --seed 5", folder);
    setenv("d", folder, 1);
    setenv("small", small, 1);
    setenv("vae", program("vae_mnist"), 1);
    snprintf(resume, sizeof resume, "%s --data %s/data --resume %s/run/checkpoint.safetensors", program("vae_mnist"),
             folder, folder);
    setenv("resume", resume, 1);
    setenv("inspect", program("../tools/hourglass-inspect"), 1);
    snprintf(whole, sizeof whole, "{ %s; }", command);
    return run_command(whole, output, sizeof output);
}

#define EXPECT(wanted, part, command)                                                                                  \
    do {                                                                                                               \
        int got_ = sh(command);                                                                                        \
        cr_assert(got_ == (wanted) && strstr(output, part), "%s: status %d, expected %d and \"%s\": %s", command,      \
                  got_, wanted, part, output);                                                                         \
    } while (0)

#define AWAIT_CHECKPOINT "for i in $(seq 25); do [ -e $d/run/checkpoint.safetensors ] || sleep 0.2; done;"

/* ---- Two runs, one folder. ---- */

Test(folders, a_second_run_is_refused)
{
    make_data();
    EXPECT(
        0, "refused and named",
        "$vae $small --quiet --epochs 1000000 --out $d/run & p=$!;" AWAIT_CHECKPOINT
        "timeout 20 $vae $small --seed 6 --overwrite --out $d/run > $d/said 2>&1; a=$?;"
        "timeout 20 $resume >> $d/said 2>&1; b=$?;"
        "kill $p; wait $p; cat $d/said;"
        "[ $a = 1 ] && [ $b = 1 ] && [ $(grep -c \"process $p is writing\" $d/said) = 2 ] && echo refused and named");
    EXPECT(0, "option.seed: 5",
           "$inspect $d/run/checkpoint.safetensors | grep option.seed && $inspect $d/run/model.safetensors > $d/said");
}

/* --overwrite takes the old run's files away only when the new one has something to show. */
Test(folders, a_replaced_run_stays_until_there_is_another)
{
    make_data();
    EXPECT(
        0, "kept",
        "$vae $small --quiet --epochs 1 --latent 2 --out $d/run > $d/first && ls $d/run > $d/before &&"
        "cksum $d/run/*.* > $d/sums && { $vae $small --quiet --epochs 1 --lr 1e30 --overwrite --out $d/run; [ $? = 1 ]; } &&"
        "ls $d/run | cmp - $d/before && cksum $d/run/*.* | cmp - $d/sums && echo kept");
    EXPECT(0, "replaced",
           "$vae $small --quiet --epochs 1 --latent 3 --overwrite --out $d/run && [ ! -e $d/run/manifold.png ] &&"
           "[ -e $d/run/samples.png ] && ! grep manifold $d/run/.files && echo replaced");
}

/* Where the folder was not chosen, each run gets its own. */
Test(folders, runs_at_once_get_folders_of_their_own)
{
    make_data();
    EXPECT(
        0, "4 models",
        "here=$PWD; case $vae in /*) ;; *) vae=$here/$vae;; esac; cd $d;"
        "for i in 1 2 3 4; do $vae $small --seed $i --quiet --epochs 1 & done; wait;"
        "for r in runs/*; do ls $r/model.safetensors $r/checkpoint.safetensors $r/metrics.csv > $d/said || exit 1; done;"
        "echo $(ls -d runs/*/model.safetensors | wc -l) models");
}

/* ---- What is planted. ---- */

Test(folders, links_in_the_way_are_not_followed)
{
    make_data();
    EXPECT(0, "mine",
           "mkdir $d/run; echo mine > $d/target; for f in metrics.csv .files samples.png model.safetensors; do"
           " ln -s $d/target $d/run/$f; done; $vae $small --quiet --epochs 1 --overwrite --out $d/run; s=$?;"
           "cat $d/target; exit $s");
    EXPECT(0, "mine", "! [ -L $d/run/metrics.csv ] && ! [ -L $d/run/model.safetensors ] && cat $d/target");
    EXPECT(1, "cannot be locked", "rm -r $d/run; mkdir $d/run; ln -s $d/target $d/run/.lock; $vae $small --out $d/run");
    EXPECT(0, "mine",
           "rm -r $d/run; mkdir $d/run; (for f in checkpoint.safetensors metrics.csv .files; do"
           " ln -s $d/target $d/run/$f.$(sh -c 'echo $PPID')-0.part; done;"
           "exec $vae $small --quiet --epochs 1 --out $d/run); s=$?; cat $d/target; exit $s");
}

Test(folders, pipes_in_the_way_do_not_hang)
{
    make_data();
    EXPECT(1, ".lock: not a regular file",
           "mkdir $d/run; mkfifo $d/run/.lock; timeout 20 $vae $small --epochs 1 --out $d/run");
    EXPECT(1, "metrics.csv: cannot be written: not a regular file",
           "rm $d/run/.lock; mkfifo $d/run/metrics.csv;"
           "timeout 20 $vae $small --epochs 1 --overwrite --out $d/run");
    EXPECT(1, ".files: not a regular file",
           "rm $d/run/* $d/run/.files; mkfifo $d/run/.files; timeout 20 $vae $small --out $d/run");
    EXPECT(1, "not a regular file", "mkfifo $d/pipe; timeout 20 $vae $small --resume $d/pipe");
    EXPECT(1, "not a regular file", "timeout 20 $inspect $d/pipe");
    EXPECT(1, "not a regular file",
           "rm $d/data/train-images-idx3-ubyte; mkfifo $d/data/train-images-idx3-ubyte;"
           "timeout 20 $vae $small --out $d/other");
}

Test(folders, a_reader_that_goes_away_does_not_end_a_run)
{
    make_data();
    EXPECT(1, "standard output cannot be written",
           "($vae $small --epochs 30 --out $d/run 2> $d/said; echo $? > $d/status) | head -n 1 > /dev/null;"
           "[ -e $d/run/model.safetensors ] && cat $d/said && exit $(cat $d/status)");
}

/* In a folder without a run nothing is replaced unasked, and nothing removed that a list of the user's names. */
Test(folders, files_of_others_stay)
{
    make_data();
    EXPECT(1, "metrics.csv: is there already, and not by a run",
           "mkdir $d/run; for f in photo.jpg metrics.csv; do echo mine > $d/run/$f; done;"
           "echo photo.jpg > $d/run/files.txt; $vae $small --epochs 1 --out $d/run");
    EXPECT(0, "mine",
           "cat $d/run/metrics.csv && $vae $small --quiet --epochs 1 --overwrite --out $d/run &&"
           "cat $d/run/photo.jpg && [ $(wc -l < $d/run/metrics.csv) = 2 ]");
}

/* Only what the run itself wrote is removed by --overwrite, whatever .files says. */
Test(folders, overwrite_removes_only_what_the_run_wrote)
{
    make_data();
    EXPECT(
        0, "kept",
        "$vae $small --quiet --epochs 1 --out $d/run && echo mine > $d/run/notes && echo mine > $d/outside &&"
        "printf '../outside\\n%s/outside\\n.lock\\nold.png\\n' $d >> $d/run/.files && touch $d/run/old.png &&"
        "$vae $small --quiet --epochs 1 --overwrite --out $d/run && ! [ -e $d/run/old.png ] && [ -e $d/run/notes ] &&"
        "[ -e $d/outside ] && echo kept");
    EXPECT(1, "holds a run already", "$vae $small --epochs 1 --out $d/run; s=$?; [ $s = 2 ] && exit 1");
    EXPECT(0, "\\u202e",
           "name=$(printf 'x\\342\\200\\256y'); echo mine > $d/run/$name; echo $name >> $d/run/.files; $resume");
    cr_assert(!strstr(output, "\xe2\x80\xae"), "what .files says reaches the terminal raw: %s", output);
}

/* The last lines of a run name what is there: without an epoch there is no checkpoint and no chart. The first line says
 * how many images a recipe keeps for validation. */
Test(folders, what_a_run_says_of_its_files_and_data)
{
    make_data();
    EXPECT(0, "/run: metrics.csv", "$vae $small --epochs 0 --out $d/run");
    cr_assert(!strstr(output, "checkpoint") && !strstr(output, "loss.svg"), "%s", output);
    EXPECT(0, "(267 training, 53 validation, 100 test images)",
           "${vae%/*}/stacked_ae_mnist --data $d/data --hidden 9 --plain --epochs 1 --out $d/stacked");
    EXPECT(1, "one training image, which would be held out",
           "printf '\\0\\0\\10\\3\\0\\0\\0\\1\\0\\0\\0\\1\\0\\0\\0\\1a' > $d/x; printf "
           "'\\0\\0\\10\\1\\0\\0\\0\\1\\1' > $d/y; mkdir $d/one; for i in train t10k; do cp $d/x "
           "$d/one/$i-images-idx3-ubyte; cp $d/y $d/one/$i-labels-idx1-ubyte; done;"
           "$vae --data $d/one --keep-best --out $d/one/run");
    EXPECT(1, "training, validation and test images differ in size",
           "cp $d/data/t10k-* $d/one; $vae --data $d/one --out $d/one/run");
}

/* What is printed to go on with can be typed as it is. */
Test(folders, names_that_a_shell_would_take_apart)
{
    make_data();
    EXPECT(0, "/run of mine'\\''s/checkpoint.safetensors'",
           "$vae $small --steps 100000000 --out \"$d/run of mine's\" > $d/said 2>&1 & p=$!;"
           "for i in $(seq 50); do [ -e \"$d/run of mine's/checkpoint.safetensors\" ] || sleep 0.2; done;"
           "kill $p; wait $p; cat $d/said");
}

/* ---- Checkpoints made to harm. ---- */

/* A copy of the checkpoint in which one text is another. */
static void change_text(const char *key, const char *value)
{
    char           from[256], to[256];
    nn_safetensors file;
    tl_error       why;
    snprintf(from, sizeof from, "%s/run/checkpoint.safetensors", folder);
    snprintf(to, sizeof to, "%s/hostile", folder);
    cr_assert(nn_safetensors_read(from, &file, &why), "%s", why.text);
    nn_stored_text texts[64];
    cr_assert(file.n_texts < 64 && nn_safetensors_text(&file, key));
    for (int64_t i = 0; i < file.n_texts; i++)
        texts[i] = (nn_stored_text){file.text[i].key, strcmp(file.text[i].key, key) ? file.text[i].value : value};
    cr_assert(nn_safetensors_write(to, file.n_tensors, file.tensor, file.n_texts, texts, &why), "%s", why.text);
    nn_safetensors_free(&file);
}

static long peak_megabytes(void)
{
    struct rusage usage;
    cr_assert(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    return usage.ru_maxrss / 1024;
}

/* Its shapes are compared with the model's before the model takes memory. */
Test(folders, a_checkpoint_cannot_ask_for_memory)
{
    static const char *const keys[][2] = {
        {"option.hidden", "100000"}, {"option.latent", "100000"}, {"option.batch", "1000000"}};
    make_data();
    EXPECT(0, "weights", "$vae $small --quiet --epochs 1 --out $d/run");
    long before = peak_megabytes();
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !SANITIZED; i++) {
        change_text(keys[i][0], keys[i][1]);
        sh("ulimit -v 8000000; $vae --data $d/data --resume $d/hostile --out $d/other;"
           "$vae --load $d/hostile --generate 2 --output $d/x.png");
        cr_assert(i == 2 || strstr(output, "other shapes: "), "%s: %s", keys[i][0], output);
        cr_assert(peak_megabytes() < before + 150, "%s: %ld MB", keys[i][0], peak_megabytes());
    }
    change_text("option.hidden", "1000000000000");
    EXPECT(1, "the file's option --hidden 1000000000000: expected a whole number",
           "$vae --data $d/data --resume $d/hostile");
    change_text("history", "nonsense");
    EXPECT(1, "its state of the run is damaged", "$vae --data $d/data --resume $d/hostile --out $d/other2");
    change_text("step", "99999999999999999999");
    EXPECT(1, "hostile: ", "$vae --data $d/data --resume $d/hostile --out $d/other3");
    change_text("random.draw", "-1");
    EXPECT(1, "hostile: ", "$vae --data $d/data --resume $d/hostile --out $d/other4");
}

/* ---- Closed streams. ---- */

Test(folders, closed_streams_do_not_end_in_files)
{
    static const char *const closed[] = {"<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"};
    char                     command[1024];
    make_data();
    EXPECT(0, "weights", "$vae $small --epochs 2 --out $d/whole && cut -d, -f1-7 $d/whole/metrics.csv > $d/losses");
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        const int wanted = strstr(closed[i], " >") || *closed[i] == '>'; /* the fingerprint could not be printed */
        snprintf(
            command, sizeof command,
            "rm -rf $d/run; (exec $vae $small --epochs 2 --out $d/run %s); s=$?;"
            "cut -d, -f1-7 $d/run/metrics.csv | cmp - $d/losses && $inspect $d/run/checkpoint.safetensors > $d/said &&"
            "cmp $d/run/.files $d/whole/.files && ! [ -s $d/run/.lock ] && exit $s; exit 99",
            closed[i]);
        int status = sh(command);
        cr_assert(wanted ? status == 1 || status == 0 : status == 0, "%s: %d, %s", closed[i], status, output);
        cr_assert(!wanted || status == 1, "%s: standard output could not be written, and the status was 0", closed[i]);
    }
    EXPECT(1, "standard output cannot be written",
           "$vae $small --epochs 1 --quiet --overwrite --out $d/run > /dev/full");
    static const char *const tools[] = {"../tools/hourglass", "../tools/hourglass-inspect",
                                        "../tools/hourglass-compare"};
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        setenv("tool", program(tools[i]), 1);
        EXPECT(1, "standard output cannot be written", "$tool --help > /dev/full");
        EXPECT(1, "standard output cannot be written", "$tool --version > /dev/full");
    }
    EXPECT(1, "standard output cannot be written", "$tool --out $d/c.html $d/run $d/whole > /dev/full");
    EXPECT(1, "", "$inspect $d/whole/model.safetensors >&-");
}

/* ---- Signals. ---- */

/* A run that would never end gets a signal, which its parent may have ignored. Within `tries` times 0.2 s it ends, or
 * it goes on. */
#define SIGNALLED(ignored, signal, tries)                                                                              \
    "rm -rf $d/run; (trap '' " ignored                                                                                 \
    " 0; exec $vae $small --quiet --epochs 1000000 --out $d/run) & p=$!;" AWAIT_CHECKPOINT "kill -" signal             \
    " $p; for i in $(seq " tries "); do sleep 0.2; kill -0 $p 2> /dev/null || break; done;"                            \
    "kill -0 $p 2> /dev/null && echo goes on; kill -TERM $p 2> /dev/null; wait $p; s=$?;"                              \
    "$inspect $d/run/checkpoint.safetensors > $d/said && $inspect $d/run/model.safetensors > $d/said || s=99; exit $s"

Test(folders, signals_save_unless_the_parent_ignores_them)
{
    make_data();
    /* A shell's background jobs ignore INT. */
    static const char *const saves[] = {SIGNALLED("", "HUP", "100"), SIGNALLED("", "TERM", "100")};
    for (size_t i = 0; i < sizeof saves / sizeof *saves; i++) {
        EXPECT(130, "stopped in epoch", saves[i]);
        cr_assert(!strstr(output, "goes on"), "%s", output);
    }
    EXPECT(130, "goes on", SIGNALLED("HUP", "HUP", "2"));
    EXPECT(130, "goes on", SIGNALLED("INT", "INT", "2"));
}

/* ---- Options. ---- */

Test(folders, resuming_with_other_options)
{
    make_data();
    EXPECT(0, "weights", "$vae $small --quiet --epochs 1 --out $d/run");
    EXPECT(0, "weights",
           "cp -r $d/run $d/copy; $vae --data $d/data --quiet --epochs 2 --resume $d/copy/checkpoint.safetensors");
    cr_assert(!strstr(output, "note:"), "more epochs are what resuming is for: %s", output);
    EXPECT(2, "--seed: a run that is resumed keeps its seed, 5", "$resume --seed 6");
    EXPECT(2, "--batch: a run that is resumed keeps its batch, 64", "$resume --batch 32");
    EXPECT(2, "--keep-best: a run that is resumed keeps its keep-best, false", "$resume --keep-best");
    EXPECT(0, "note: --beta 0.5 in place of the run's 1", "$resume --beta 0.5 --epochs 2");
    EXPECT(0, "note: --lr 0.5 in place of the run's 0.001", "$resume --lr 0.5 --epochs 3");
    EXPECT(1, "is at step 15 already, beyond the 3 asked for", "$resume --steps 3");
    cr_assert(!strstr(output, "resumed at"), "%s", output);
}

Test(folders, empty_names)
{
    make_data();
    EXPECT(2, "--data: the value is empty", "$vae --data ''");
    EXPECT(2, "--load: the value is empty", "$vae --load ''");
    EXPECT(2, "--resume: the value is empty", "$vae --resume ''");
    EXPECT(2, "--out: the value is empty", "$vae --out ''");
    EXPECT(2, "--output: the value is empty", "$vae --load x --generate 1 --output ''");
}

/* ---- What is said. ---- */

Test(folders, nan_has_no_sign)
{
    make_data();
    EXPECT(1, "a metric became NaN", "$vae $small --lr 1e30 --epochs 3 --out $d/run");
    EXPECT(0, "nan", "cat $d/run/metrics.csv");
    cr_assert(!strstr(output, "-nan"), "%s", output);
    EXPECT(0, "epoch",
           "$vae --data $d/data --variant chunked --lr 1e30 --epochs 1 --out $d/run2; cat $d/run2/metrics.csv");
    cr_assert(!strstr(output, "-nan"), "%s", output);
}

Test(folders, names_do_not_reach_the_terminal_raw)
{
    make_data();
    EXPECT(1, "gnp\\u202eexe", "$inspect \"$d/$(printf 'gnp\\342\\200\\256exe')\"");
    cr_assert(!strstr(output, "\xe2\x80\xae"), "%s", output);
    EXPECT(0, "\\u202e", "$vae $small --epochs 1 --out \"$d/$(printf 'a\\342\\200\\256b')\"");
    cr_assert(!strstr(output, "\xe2\x80\xae"), "%s", output);
    EXPECT(2, "\\u2066", "$vae \"--$(printf '\\342\\201\\246')\"");
    cr_assert(!strstr(output, "\xe2\x81\xa6"), "%s", output);
}

/* Images of 40000 x 2 pixels, of which no picture can be made. */
Test(folders, sizes_are_refused_before_training)
{
    make_data();
    EXPECT(
        0, "",
        "cd $d/data; for f in train-images-idx3-ubyte t10k-images-idx3-ubyte; do"
        " (printf '\\0\\0\\010\\003\\0\\0\\0\\002\\0\\0\\234\\100\\0\\0\\0\\002'; head -c 160000 /dev/zero) > $f; done;"
        "for f in train-labels-idx1-ubyte t10k-labels-idx1-ubyte; do"
        " printf '\\0\\0\\010\\001\\0\\0\\0\\002\\1\\2' > $f; done");
    EXPECT(1, "images of 40000 x 2 pixels", "$vae $small --epochs 1 --out $d/run; s=$?; [ ! -e $d/run ] && exit $s");
}
#else
typedef int float_only;
#endif
