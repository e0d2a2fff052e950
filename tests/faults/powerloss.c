/* Writes down what a process does to the files of a database, so that a test can make them as a power loss
 * would leave them. To be preloaded:
 *
 *   cc -shared -fPIC -O2 -o powerloss.so powerloss.c -ldl
 *   LD_PRELOAD=./powerloss.so POWERLOSS_FILE=/.../chitty.db POWERLOSS_JOURNAL=/.../journal python ...
 *
 * Followed are the file itself, its -wal and its -journal, by their absolute paths, and the folder that they are
 * in; not its -shm, which is made anew after a crash. A record is a struct entry and then its data. A write is
 * written down before it is done, a sync after it: what stands before a sync was durable when it returned.
 * POWERLOSS_BOOT, if given, is read in place of the kernel's boot id. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define FILES 4096 /* descriptors that are followed */

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, SYNC_FOLDER, UNLINK };
enum { NONE, MAIN, WAL, ROLLBACK, FOLDER };

struct entry {
    uint32_t what, file;
    int64_t offset, length, nanoseconds;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static unsigned char followed[FILES];
static int journal = -1;
static const char *database, *boot;
static char folder[4096];

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_unlink)(const char *);
static int (*real_fsync)(int), (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off64_t);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    boot = getenv("POWERLOSS_BOOT");
    const char *path = getenv("POWERLOSS_JOURNAL");
    database = getenv("POWERLOSS_FILE");
    if (path == NULL || database == NULL || strrchr(database, '/') == NULL) return;
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(database, '/') - database), database);
    journal = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal >= 0) { /* out of the way of what expects low numbers */
        int high = fcntl(journal, F_DUPFD_CLOEXEC, 900);
        if (high >= 0) { real_close(journal); journal = high; }
    }
}

static int which(const char *path) {
    size_t length;
    if (journal < 0 || path == NULL || path[0] != '/') return NONE;
    if (strcmp(path, folder) == 0) return FOLDER;
    length = strlen(database);
    if (strncmp(path, database, length) != 0) return NONE;
    if (path[length] == 0) return MAIN;
    if (strcmp(path + length, "-wal") == 0) return WAL;
    if (strcmp(path + length, "-journal") == 0) return ROLLBACK;
    return NONE;
}

static int file_of(int descriptor) {
    return descriptor >= 0 && descriptor < FILES && journal >= 0 ? followed[descriptor] : NONE;
}

static void note(int what, int file, int64_t offset, const struct iovec *parts, int count, int64_t length) {
    struct timespec now;
    struct entry entry;
    int index;
    clock_gettime(CLOCK_MONOTONIC, &now);
    entry.what = what, entry.file = file, entry.offset = offset, entry.length = length;
    entry.nanoseconds = now.tv_sec * 1000000000LL + now.tv_nsec;
    if (real_write(journal, &entry, sizeof entry) != sizeof entry) _exit(99);
    for (index = 0; index < count; index++) {
        const char *data = parts[index].iov_base;
        size_t left = parts[index].iov_len;
        while (left > 0) {
            ssize_t wrote = real_write(journal, data, left);
            if (wrote <= 0) _exit(99);
            data += wrote, left -= wrote;
        }
    }
}

#define HELD(...) do { \
        int kept; \
        pthread_mutex_lock(&one_at_a_time); \
        __VA_ARGS__; \
        kept = errno; \
        pthread_mutex_unlock(&one_at_a_time); \
        errno = kept; \
    } while (0)

static int open_followed(const char *path, int flags, mode_t mode) {
    int file = which(path), descriptor, was;
    if (boot != NULL && strcmp(path, BOOT_ID) == 0) path = boot;
    if (file == NONE) {
        descriptor = real_open(path, flags, mode);
        if (descriptor >= 0 && descriptor < FILES) followed[descriptor] = NONE;
        return descriptor;
    }
    HELD({
        was = access(path, F_OK) == 0;
        descriptor = real_open(path, flags, mode);
        if (descriptor >= 0 && descriptor < FILES) {
            followed[descriptor] = file;
            if (!was && (flags & O_CREAT)) note(CREATE, file, 0, NULL, 0, 0);
        }
    });
    return descriptor;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_followed(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_followed(path, flags | O_LARGEFILE, mode); }

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < FILES) followed[descriptor] = NONE;
    return real_close(descriptor);
}

ssize_t write(int descriptor, const void *data, size_t length) {
    int file = file_of(descriptor);
    ssize_t result;
    if (file == NONE) return real_write(descriptor, data, length);
    HELD({
        struct iovec part = {(void *)data, length};
        note(WRITE, file, lseek64(descriptor, 0, SEEK_CUR), &part, 1, length);
        result = real_write(descriptor, data, length);
    });
    return result;
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
    int file = file_of(descriptor), index;
    int64_t length = 0;
    ssize_t result;
    if (file == NONE) return real_pwritev(descriptor, parts, count, offset);
    for (index = 0; index < count; index++) length += parts[index].iov_len;
    HELD({
        note(WRITE, file, offset, parts, count, length);
        result = real_pwritev(descriptor, parts, count, offset);
    });
    return result;
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    struct iovec part = {(void *)data, length};
    ssize_t result;
    int file = file_of(descriptor);
    if (file == NONE) return real_pwrite(descriptor, data, length, offset);
    HELD({
        note(WRITE, file, offset, &part, 1, length);
        result = real_pwrite(descriptor, data, length, offset);
    });
    return result;
}

int ftruncate64(int descriptor, off64_t length) {
    int file = file_of(descriptor), result;
    if (file == NONE) return real_ftruncate(descriptor, length);
    HELD({
        note(TRUNCATE, file, length, NULL, 0, 0);
        result = real_ftruncate(descriptor, length);
    });
    return result;
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    return pwrite64(descriptor, data, length, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(descriptor, parts, count, offset);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

static int synced(int descriptor, int (*sync)(int)) {
    int file = file_of(descriptor), result;
    if (file == NONE) return sync(descriptor);
    HELD({
        result = sync(descriptor);
        if (result == 0) note(file == FOLDER ? SYNC_FOLDER : SYNC, file, 0, NULL, 0, 0);
    });
    return result;
}

int fsync(int descriptor) { return synced(descriptor, real_fsync); }
int fdatasync(int descriptor) { return synced(descriptor, real_fdatasync); }

int unlink(const char *path) {
    int file = which(path), result;
    if (file == NONE) return real_unlink(path);
    HELD({
        result = real_unlink(path);
        if (result == 0) note(UNLINK, file, 0, NULL, 0, 0);
    });
    return result;
}
