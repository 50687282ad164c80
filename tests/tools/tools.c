/* Arguments, PNG files, whole files, the fetch script. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/io.h"
#include "tests/test.h"
#include "tools/file.h"
#include "tools/args.h"
#include "tools/font.h"
#include "tools/picture.h"
#include "tools/png.h"

/* ---- Arguments. ---- */

static int64_t     count;
static double      rate;
static uint64_t    seed;
static bool        quiet;
static const char *out;
static tl_error    args_error;

static tl_args_result parse(int argc, const char *const *argv)
{
    tl_option options[] = {{"count", TL_INT, &count, 1, 100, "N", "things", false},
                           {"quiet", TL_FLAG, &quiet, 0, 0, NULL, "hush", false},
                           TL_OPTIONS_END};
    tl_option more[] = {{"rate", TL_REAL, &rate, 0, 1, "X", "how fast", false},
                        {"seed", TL_SEED, &seed, 0, 0, "N", "chance", false},
                        {"out", TL_TEXT, &out, 0, 0, "DIR", "where", false},
                        TL_OPTIONS_END};
    return tl_args_parse(argc, (char **)argv, (tl_option *const[]){options, more, NULL}, &args_error);
}

#define PARSE(...)                                                                                                     \
    parse((int)(sizeof((const char *[]){"program", __VA_ARGS__}) / sizeof(char *)),                                    \
          (const char *[]){"program", __VA_ARGS__})

Test(args, reads_options)
{
    cr_assert(PARSE("--count", "7", "--rate=0.5", "--seed", "18446744073709551615", "--out", "a b", "--quiet") ==
              TL_ARGS_OK);
    cr_assert(count == 7 && rate == 0.5 && seed == UINT64_MAX && quiet && !strcmp(out, "a b"));
    cr_assert(PARSE("--count", "7", "--help") == TL_ARGS_HELP && PARSE("-h") == TL_ARGS_HELP);
    cr_assert(PARSE("--count", "7", "--version") == TL_ARGS_VERSION);
}

Test(args, refuses)
{
    cr_assert(PARSE("--unknown") == TL_ARGS_ERROR && PARSE("word") == TL_ARGS_ERROR && PARSE("-c") == TL_ARGS_ERROR);
    cr_assert(PARSE("--coun", "1") == TL_ARGS_ERROR && strstr(args_error.text, "did you mean --count?"));
    cr_assert(PARSE("--co") == TL_ARGS_ERROR && strstr(args_error.text, "did you mean --count?"));
    cr_assert(PARSE("--xy") == TL_ARGS_ERROR && strstr(args_error.text, "unknown option; --help"), "%s",
              args_error.text);
    cr_assert(PARSE("hello") == TL_ARGS_ERROR && strstr(args_error.text, "hello: not expected; options begin with --"));
    cr_assert(PARSE("--out", "") == TL_ARGS_ERROR && strstr(args_error.text, "--out: the value is empty"));
    cr_assert(PARSE("--out") == TL_ARGS_ERROR && PARSE("--count") == TL_ARGS_ERROR &&
              PARSE("--quiet=1") == TL_ARGS_ERROR);
    cr_assert(PARSE("--count", "0") == TL_ARGS_ERROR && PARSE("--count", "101") == TL_ARGS_ERROR);
    cr_assert(PARSE("--count", "1x") == TL_ARGS_ERROR && PARSE("--count", "") == TL_ARGS_ERROR);
    cr_assert(PARSE("--count", "99999999999999999999") == TL_ARGS_ERROR);
    cr_assert(PARSE("--rate", "nan") == TL_ARGS_ERROR && PARSE("--rate", "-1") == TL_ARGS_ERROR);
    cr_assert(PARSE("--rate", "2") == TL_ARGS_ERROR && PARSE("--rate", "") == TL_ARGS_ERROR &&
              PARSE("--rate", "0.5x") == TL_ARGS_ERROR);
    cr_assert(PARSE("--seed", "18446744073709551616") == TL_ARGS_ERROR && PARSE("--seed", "") == TL_ARGS_ERROR);
    cr_assert(PARSE("--seed", "-1") == TL_ARGS_ERROR && PARSE("--seed", "1.5") == TL_ARGS_ERROR);
}

/* ---- PNG. ---- */

/* A picture as a program writes it: whole or not at all. */
static bool write_png(const char *path, const uint8_t *pixels, int64_t width, int64_t height, int channels,
                      tl_error *why)
{
    tl_output f;
    why->text[0] = '\0';
    if (!tl_output_open(&f, path, why))
        return false;
    if (tl_png_write(f.stream, pixels, width, height, channels) || ferror(f.stream))
        return tl_output_close(&f, why);
    tl_output_abandon(&f);
    return false;
}

/* Python's own zlib and PNG chunks are the judge, where there is a Python. */
Test(png, is_valid)
{
    char     path[256], command[1024], output[256];
    tl_error why;
    if (run_command("python3 -c 'import zlib'", NULL, 0) != 0)
        cr_skip_test("python3 is not at hand");
    static uint8_t pixels[3 * 300 * 90];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    snprintf(path, sizeof path, "%s/p.png", scratch_folder());
    for (int channels = 1; channels <= 3; channels += 2) {
        cr_assert(write_png(path, pixels, 300, 90, channels, &why), "%s", why.text);
        snprintf(command, sizeof command,
                 "python3 -c \"import zlib,struct;d=open('%s','rb').read();p=8;i=b''\nwhile p<len(d):\n"
                 " n=struct.unpack('>I',d[p:p+4])[0];t=d[p+4:p+8];b=d[p+8:p+8+n]\n"
                 " assert zlib.crc32(t+b)==struct.unpack('>I',d[p+8+n:p+12+n])[0]\n"
                 " i+=b if t==b'IDAT' else b'';p+=12+n\n"
                 "r=zlib.decompress(i);w=1+300*%d;assert len(r)==90*w\n"
                 "assert all(r[y*w]==0 for y in range(90));print(r[w+1])\"",
                 path, channels);
        cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
        cr_assert(atoi(output) == pixels[300 * channels], "%s", output);
    }
}

Test(png, rows_longer_than_the_window)
{
    char     path[256], command[1024], output[256];
    tl_error why;
    if (run_command("python3 -c 'import zlib'", NULL, 0) != 0)
        cr_skip_test("python3 is not at hand");
    static uint8_t pixels[3 * 30000 * 2];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i % 251);
    snprintf(path, sizeof path, "%s/p.png", scratch_folder());
    cr_assert(write_png(path, pixels, 30000, 2, 3, &why), "%s", why.text);
    snprintf(
        command, sizeof command,
        "python3 -c \"import zlib;d=open('%s','rb').read();r=zlib.decompress(d[41:]);"
        "w=90001;assert len(r)==2*w;assert all(r[y*w+1+i]==(y*90000+i)%%251 for y in (0,1) for i in range(90000))\"",
        path);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
}

/* As an animation: frames in turn by their numbers, each with its own zlib stream; the first is an ordinary image. */
Test(png, animations_are_valid)
{
    enum { FRAMES = 3, SIZE = 12 * 5 };
    char      path[256], command[1024], output[256];
    uint8_t   pixels[FRAMES * SIZE];
    tl_error  why;
    tl_output f;
    if (run_command("python3 -c 'import zlib'", NULL, 0) != 0)
        cr_skip_test("python3 is not at hand");
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    snprintf(path, sizeof path, "%s/a.png", scratch_folder());
    cr_assert(tl_output_open(&f, path, &why));
    cr_assert(tl_apng_write(f.stream, pixels, FRAMES, 12, 5, 1, 400, "of\nthree"));
    cr_assert(tl_output_close(&f, &why));
    snprintf(command, sizeof command,
             "python3 -c \"import zlib,struct;d=open('%s','rb').read();p=8;o=[];q=[];f=[]\nwhile p<len(d):\n"
             " n=struct.unpack('>I',d[p:p+4])[0];t=d[p+4:p+8];b=d[p+8:p+8+n]\n"
             " assert zlib.crc32(t+b)==struct.unpack('>I',d[p+8+n:p+12+n])[0]\n"
             " o+=[t.decode()];q+=[b[3]] if t in(b'fcTL',b'fdAT') else []\n"
             " assert t!=b'tEXt' or b==b'Comment\\0of\\nthree'\n"
             " f+=[zlib.decompress(b[4*(t==b'fdAT'):])] if t in(b'IDAT',b'fdAT') else [];p+=12+n\n"
             "assert q==[0,1,2,3,4];r=b''.join(x[13*y+1:13*y+13] for x in f for y in range(5))\n"
             "assert r==bytes(i*7%%256 for i in range(180));print(*o)\"",
             path);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    cr_expect(!strcmp(output, "IHDR acTL tEXt fcTL IDAT fcTL fdAT fcTL fdAT IEND\n"), "%s", output);
    cr_expect(!tl_apng_write(NULL, pixels, FRAMES, 12, 5, 1, 400, NULL));
    cr_expect(!tl_apng_write(stderr, NULL, 1, 1, 1, 1, 400, NULL) &&
              !tl_apng_write(stderr, pixels, 0, 1, 1, 1, 400, NULL));
    cr_expect(!tl_apng_write(stderr, pixels, 1, 1, 1, 1, 0, NULL) &&
              !tl_apng_write(stderr, pixels, 1, 0, 1, 1, 9, NULL));
}

Test(png, refuses)
{
    tl_error why;
    char     path[256], folder[256];
    uint8_t  pixel = 0;
    snprintf(path, sizeof path, "%s/x.png", scratch_folder());
    cr_assert(!write_png(path, &pixel, 0, 1, 1, &why) && !write_png(path, &pixel, 1, 1, 2, &why));
    cr_assert(!write_png(path, &pixel, 1 << 20, 1, 1, &why) && !write_png(path, NULL, 1, 1, 1, &why));
    cr_assert(!tl_png_write(NULL, &pixel, 1, 1, 1));
    cr_assert(!write_png("/nonexistent/x.png", &pixel, 1, 1, 1, &why));
    cr_assert(strstr(why.text, "/nonexistent/x.png: cannot be written: No such file"), "%s", why.text);
    snprintf(folder, sizeof folder, "%s/folder", scratch_folder());
    cr_assert(mkdir(folder, 0700) == 0);
    cr_assert(!write_png(folder, &pixel, 1, 1, 1, &why) && strstr(why.text, "cannot be written"));
}

#ifndef PLAIN_RUNNER
/* A full disk: what was there before stays. */
Test(png, a_full_disk_leaves_the_old_file)
{
    char           path[256], files[300];
    tl_error       why;
    static uint8_t pixels[400 * 400];
    snprintf(path, sizeof path, "%s/p.png", scratch_folder());
    cr_assert(write_png(path, pixels, 10, 10, 1, &why));
    struct stat before, after;
    cr_assert(stat(path, &before) == 0);
    for (size_t i = 0; i < sizeof pixels; i++) /* nothing that is compressed to fit */
        pixels[i] = (uint8_t)(i * 2654435761u >> 11);
    cr_assert(io_limit_files(4096));
    cr_assert(!write_png(path, pixels, 400, 400, 1, &why) && strstr(why.text, "cannot be written"));
    cr_assert(stat(path, &after) == 0 && after.st_size == before.st_size && after.st_ino == before.st_ino);
    snprintf(files, sizeof files, "ls %s*.part", path);
    cr_assert(run_command(files, NULL, 0) != 0, "nothing is left beside it");
}
#endif

Test(picture, puts_images_into_a_grid)
{
    tl_picture p;
    cr_assert(tl_picture_init(&p, 2, 3, 4, 5, 2, NULL));
    cr_assert(p.height == 2 * (8 + 2) + 2 && p.width == 3 * (10 + 2) + 2);
    const float image[20] = {[0] = 2, [1] = -1, [19] = 0.5f};
    tl_picture_put(&p, 1, 2, image);
    int64_t top = 2 + 10, left = 2 + 2 * 12;
    cr_assert(p.pixels[top * p.width + left] == 255 && p.pixels[(top + 1) * p.width + left + 2] == 0);
    cr_assert(p.pixels[(top + 7) * p.width + left + 9] == 128);
    tl_picture_free(&p);
}

Test(picture, has_words_around_it)
{
    static const char *const rows[] = {"in", "out"}, *const columns[] = {"0", NULL, "long label"};
    const tl_labels labels = {"a caption that is wider than the picture", 2, 3, rows, columns};
    tl_picture      p;
    cr_assert(tl_picture_init(&p, 3, 4, 10, 20, 2, &labels));
    cr_assert(p.left > 0 && p.top > 0 && p.width == p.left + 4 * (40 + 2) + 2 && p.height == p.top + 3 * (20 + 2) + 2);
    int64_t beside = 0, above = 0, inside = 0;
    for (int64_t y = 0; y < p.height; y++)
        for (int64_t x = 0; x < p.width; x++)
            if (p.pixels[y * p.width + x] == 225)
                ++*(y < p.top ? &above : x < p.left ? &beside : &inside);
    cr_assert(beside > 0 && above > 0 && inside == 0, "%d beside, %d above, %d inside", (int)beside, (int)above,
              (int)inside);
    const float white[200] = {[0] = 1};
    tl_picture_put(&p, 0, 0, white);
    cr_assert(p.pixels[(p.top + 2) * p.width + p.left + 2] == 255);
    tl_picture_free(&p);
    cr_assert(tl_picture_init(&p, 1, 1, 1, 1, 1, &labels), "nothing fits");
    tl_picture_free(&p);
    cr_assert(tl_picture_init(&p, 1, 1, 4, 4, 1, &(tl_labels){0}) && p.left == 0 && p.top == 0);
    tl_picture_free(&p);
}

/* A letter as its rows of bits; at every border the rest of it is cut off. */
Test(font, writes_and_cuts_off)
{
    uint8_t         pixels[12 * 12] = {0};
    const uint8_t   white = 255;
    const tl_canvas c = {pixels, 12, 12, 1};
    tl_font_write(&c, 1, 2, 1, &white, "L");
    for (int y = 0; y < 12; y++)
        for (int x = 0; x < 12; x++) {
            const bool set = (x == 1 && y >= 2 && y < 9) || (y == 8 && x >= 1 && x < 6);
            cr_expect((pixels[12 * y + x] == 255) == set, "(%d, %d)", x, y);
        }
    for (int64_t x = -200; x < 40; x += 7)
        for (int64_t y = -40; y < 40; y += 7)
            tl_font_write(&c, x, y, 3, &white, "cut off \xff\n");
    cr_assert(tl_font_width("abc", 2) == 34 && tl_font_width("", 2) == 0 && tl_font_width(NULL, 1) == 0);
    tl_font_write(NULL, 0, 0, 1, &white, "x"), tl_font_write(&c, 0, 0, 1, NULL, "x");
    tl_font_write(&c, 0, 0, 0, &white, "x"), tl_font_write(&c, 0, 0, 1, &white, NULL);
    tl_font_write(&(tl_canvas){NULL, 12, 12, 1}, 0, 0, 1, &white, "x");
    tl_font_write(&(tl_canvas){pixels, 12, 12, 2}, 0, 0, 1, &white, "x");
}

/* ---- The fetch script, against a server on the loopback address. ---- */

static void send_file(int client, const char *path)
{
    char        block[65536];
    FILE       *f = fopen(path, "rb");
    const char *head = f ? "HTTP/1.0 200 OK\r\n\r\n" : "HTTP/1.0 404 Not Found\r\n\r\n";
    bool        ok = write(client, head, strlen(head)) > 0;
    for (size_t n; ok && f && (n = fread(block, 1, sizeof block, f)) > 0;)
        ok = write(client, block, n) == (ssize_t)n;
    if (f)
        fclose(f);
}

/* Serves the files of a folder until it is killed. Returns its process; the port goes to *port. */
static pid_t serve(const char *folder, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          size = sizeof address;
    int                server = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(server >= 0 && bind(server, (struct sockaddr *)&address, size) == 0 && listen(server, 8) == 0);
    cr_assert(getsockname(server, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    pid_t child = fork();
    if (child != 0) {
        close(server);
        return child;
    }
    for (;;) {
        char    request[4096], path[512], name[128] = "";
        int     client = accept(server, NULL, NULL);
        ssize_t n = read(client, request, sizeof request - 1);
        request[n > 0 ? n : 0] = '\0';
        if (sscanf(request, "GET /%127[a-z0-9.-] ", name) == 1) {
            snprintf(path, sizeof path, "%s/%s", folder, name);
            send_file(client, path);
        }
        close(client);
    }
}

Test(fetch, checks_what_it_downloads)
{
    char folder[128], command[1024], output[2048];
    int  port;
    if (run_command("command -v curl && command -v gzip && command -v md5sum", NULL, 0) != 0)
        cr_skip_test("curl, gzip or md5sum is not at hand");
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(command, sizeof command, "mkdir %s/web && echo no images | gzip > %s/web/train-images-idx3-ubyte.gz",
             folder, folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    char web[160];
    snprintf(web, sizeof web, "%s/web", folder);
    pid_t server = serve(web, &port);
    snprintf(command, sizeof command, "HOURGLASS_MNIST_URL=http://127.0.0.1:%d tools/fetch_mnist.sh %s/data", port,
             folder);
    int status = run_command(command, output, sizeof output);
    cr_expect(status == 1 && strstr(output, "train-images-idx3-ubyte: the MD5 is not 6bbc"), "%d: %s", status, output);
    snprintf(command, sizeof command, "HOURGLASS_MNIST_URL=http://127.0.0.1:%d/none tools/fetch_mnist.sh %s/data", port,
             folder);
    cr_expect(run_command(command, output, sizeof output) != 0 && strstr(output, "404"), "%s", output);
    snprintf(command, sizeof command, "ls -A %s/data", folder);
    cr_expect(run_command(command, output, sizeof output) == 0 && !*output, "nothing is left: %s", output);
    if (mnist_folder()) {
        snprintf(command, sizeof command, "for f in %s/*ubyte; do gzip -c1 $f > %s/$(basename $f).gz; done",
                 mnist_folder(), web);
        cr_expect(run_command(command, output, sizeof output) == 0, "%s", output);
        snprintf(command, sizeof command, "HOURGLASS_MNIST_URL=http://127.0.0.1:%d tools/fetch_mnist.sh %s/data", port,
                 folder);
        cr_expect(run_command(command, output, sizeof output) == 0 && strstr(output, "t10k-labels-idx1-ubyte: fetched"),
                  "%s", output);
        cr_expect(run_command(command, output, sizeof output) == 0 && strstr(output, "already there"), "%s", output);
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    cr_expect(run_command("tools/fetch_mnist.sh --what", output, sizeof output) == 2);
    cr_expect(run_command("tools/fetch_mnist.sh --help", output, sizeof output) == 0 && strstr(output, "MD5"));
}
