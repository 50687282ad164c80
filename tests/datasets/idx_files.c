/* Rows of several IDX files, read where they are; and a source of them. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/idx_files.h"
#include "models/train/source.h"
#include "tests/test.h"

enum { FILES = 3, HEIGHT = 2, WIDTH = 3, ROW = HEIGHT * WIDTH };

static const int counts[FILES] = {4, 1, 6};
static char      paths[FILES][300];

/* Byte k of row i of all is i * 7 + k. `less` bytes are missing at the end of the last file. */
static void write_images(int width, long less)
{
    const char *folder = scratch_folder();
    int         row = 0;
    for (int i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/part-%d", folder, i);
        const int     w = i == FILES - 1 ? width : WIDTH;
        const uint8_t header[16] = {0, 0, 8, 3, 0, 0, 0, (uint8_t)counts[i], 0, 0, 0, HEIGHT, 0, 0, 0, (uint8_t)w};
        FILE         *f = fopen(paths[i], "wb");
        cr_assert(f && fwrite(header, 1, sizeof header, f) == sizeof header);
        for (int k = 0; k < counts[i] * HEIGHT * w; k++)
            fputc((row + k / ROW) * 7 + k % ROW, f);
        cr_assert(fclose(f) == 0);
        row += counts[i];
        if (i == FILES - 1 && less > 0)
            cr_assert(truncate(paths[i], 16 + counts[i] * ROW - less) == 0);
    }
}

static const char *const *path_list(void)
{
    static const char *list[FILES];
    for (int i = 0; i < FILES; i++)
        list[i] = paths[i];
    return list;
}

Test(idx_files, rows_of_all_files)
{
    static const int64_t index[] = {10, 0, 4, 3, 5, 4};
    ds_idx_files         f;
    uint8_t              rows[6 * ROW];
    tl_error             why = {""};
    write_images(WIDTH, 0);
    cr_assert(ds_idx_files_open(&f, FILES, path_list(), &why), "%s", why.text);
    cr_assert(f.count == 11 && f.rank == 2 && f.dim[0] == HEIGHT && f.dim[1] == WIDTH && f.row == ROW);
    cr_assert(ds_idx_files_read(&f, index, 6, rows, &why), "%s", why.text);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < ROW; k++)
            cr_assert(rows[i * ROW + k] == index[i] * 7 + k, "row %d, byte %d", i, k);
    cr_assert(!ds_idx_files_read(&f, &(int64_t){11}, 1, rows, &why) && strstr(why.text, "row 11 of 11"));
    cr_assert(!ds_idx_files_read(&f, &(int64_t){-1}, 1, rows, &why));
    ds_idx_files_close(&f);
}

/* The hash is of the rows: other files with the same rows have the same, another byte another. */
Test(idx_files, hash_of_the_rows)
{
    ds_idx_files f;
    uint64_t     hash, again, other;
    write_images(WIDTH, 0);
    cr_assert(ds_idx_files_open(&f, FILES, path_list(), NULL) && ds_idx_files_hash(&f, &hash, NULL));
    cr_assert(ds_idx_files_hash(&f, &again, NULL) && again == hash);
    FILE *changed = fopen(paths[1], "r+b");
    cr_assert(changed && fseek(changed, 18, SEEK_SET) == 0 && fputc(250, changed) == 250 && fclose(changed) == 0);
    cr_assert(ds_idx_files_hash(&f, &other, NULL) && other != hash);
    ds_idx_files_close(&f);
}

static void refuse(const char *part)
{
    ds_idx_files f;
    tl_error     why = {""};
    cr_assert(!ds_idx_files_open(&f, FILES, path_list(), &why) && strstr(why.text, part), "\"%s\", expected \"%s\"",
              why.text, part);
    ds_idx_files_close(&f);
}

Test(idx_files, wrong_files_are_refused)
{
    ds_idx_files f;
    write_images(WIDTH + 1, 0);
    refuse("another shape");
    write_images(WIDTH, 1);
    refuse("its header says 36");
    write_images(WIDTH, 16 + 6 * ROW - 10);
    refuse("too short");
    write_images(WIDTH, 0);
    FILE *many = fopen(paths[1], "wb");
    cr_assert(many &&
              fwrite("\0\0\10\5"
                     "24 bytes that are sizes.",
                     1, 28, many) == 28 &&
              fclose(many) == 0);
    refuse("has 5 dimensions, expected 1 to 4");
    cr_assert(unlink(paths[1]) == 0);
    refuse("No such file");
    cr_assert(mkfifo(paths[1], 0600) == 0);
    refuse("not a regular file");
    cr_assert(!ds_idx_files_open(&f, 0, path_list(), NULL) && !ds_idx_files_open(&f, 1, NULL, NULL) &&
              !ds_idx_files_open(NULL, 1, path_list(), NULL));
}

/* What becomes shorter while it is used is told, through the tape too. */
Test(idx_files, a_file_that_becomes_shorter)
{
    static const int64_t index[] = {9, 1};
    train_files          files = {.labels.count = 0};
    ag_tape             *tape = ag_tape_new(1);
    train_batch          b;
    write_images(WIDTH, 0);
    cr_assert(ds_idx_files_open(&files.images, FILES, path_list(), NULL));
    train_source s = train_files_source(&files);
    cr_assert(s.count == 11 && s.load(s.self, tape, index, 2, &b) && !b.y && s.hash(s.self) != 0);
    cr_assert(b.x->shape.rank == 2 && b.x->shape.dim[1] == ROW && b.x->data[1] == (ag_real)64 / 255 &&
              b.x->data[ROW + 2] == (ag_real)9 / 255);
    cr_assert(truncate(paths[2], 20) == 0);
    ag_tape_reset(tape);
    cr_assert(!s.load(s.self, tape, index, 2, &b));
    check_error(tape, "became shorter");
    cr_assert(s.hash(s.self) == 0);
    ag_tape_free(tape);
    ds_idx_files_close(&files.images);
}

Test(idx_files, labels_beside_the_images)
{
    static const int64_t index[] = {3, 0};
    const char          *label_path = paths[0];
    const uint8_t        header[8] = {0, 0, 8, 1, 0, 0, 0, 11};
    train_files          files;
    ag_tape             *tape = ag_tape_new(1);
    train_batch          b;
    write_images(WIDTH, 0);
    cr_assert(ds_idx_files_open(&files.images, FILES, path_list(), NULL));
    cr_assert(unlink(paths[0]) == 0); /* it stays open */
    FILE *f = fopen(label_path, "wb");
    cr_assert(f && fwrite(header, 1, sizeof header, f) == sizeof header &&
              fwrite("\3\1\4\1\5\7\2\6\5\3\5", 1, 11, f) == 11);
    cr_assert(fclose(f) == 0 && ds_idx_files_open(&files.labels, 1, &label_path, NULL) && files.labels.rank == 0);
    train_source s = train_files_source(&files);
    cr_assert(s.count == 11 && s.load(s.self, tape, index, 2, &b) && b.y && b.y->shape.rank == 1);
    cr_assert(b.y->data[0] == 1 && b.y->data[1] == 3);
    files.labels.count = 10;
    cr_assert(train_files_source(&files).count == 0, "other numbers of images and labels");
    ag_tape_free(tape);
    ds_idx_files_close(&files.images);
    ds_idx_files_close(&files.labels);
}
