/* Records what is on the disk, for power_cut.py: loaded by LD_PRELOAD into a process under test.
 *
 * After each fsync or fdatasync of a file below $POWER_CUT_ROOT, a copy of its content is kept under
 * its inode's number; after each fsync of a directory, its list of names and inodes. What was never
 * synced is in neither, as after a power cut on a disk that keeps no more than it must.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void record_name(char *out, size_t size, const char *kind, unsigned long number) {
    snprintf(out, size, "%s/%s-%lu", getenv("POWER_CUT_RECORD"), kind, number);
}

static void record_content(const char *path, unsigned long inode) {
    char target[PATH_MAX], draft[PATH_MAX + 16], block[65536];
    record_name(target, sizeof target, "file", inode);
    snprintf(draft, sizeof draft, "%s.%ld", target, (long)syscall(SYS_gettid));
    int from = open(path, O_RDONLY), to = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t count;
    while (from >= 0 && to >= 0 && (count = read(from, block, sizeof block)) > 0)
        if (write(to, block, count) != count) abort();
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    rename(draft, target);
}

static void record_listing(const char *path, unsigned long inode) {
    char target[PATH_MAX], draft[PATH_MAX + 16], name[PATH_MAX];
    record_name(target, sizeof target, "folder", inode);
    snprintf(draft, sizeof draft, "%s.%ld", target, (long)syscall(SYS_gettid));
    FILE *out = fopen(draft, "w");
    DIR *folder = opendir(path);
    struct dirent *entry;
    if (!out || !folder) abort();
    fprintf(out, "%s\n", path);
    while ((entry = readdir(folder))) {
        struct stat facts;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (!lstat(name, &facts) && S_ISREG(facts.st_mode))
            fprintf(out, "%lu %o %s\n", (unsigned long)facts.st_ino, facts.st_mode & 07777,
                    entry->d_name);
    }
    closedir(folder);
    fclose(out);
    rename(draft, target);
}

static void record(int handle) {
    const char *root = getenv("POWER_CUT_ROOT");
    char link[64], path[PATH_MAX];
    struct stat facts;
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!root || length < 0 || fstat(handle, &facts)) return;
    path[length] = 0;
    if (strncmp(path, root, strlen(root))) return;
    if (S_ISDIR(facts.st_mode)) record_listing(path, facts.st_ino);
    else if (S_ISREG(facts.st_mode)) record_content(link, facts.st_ino);
}

int fsync(int handle) {
    int result = syscall(SYS_fsync, handle);
    if (!result) record(handle);
    return result;
}

int fdatasync(int handle) {
    int result = syscall(SYS_fdatasync, handle);
    if (!result) record(handle);
    return result;
}
