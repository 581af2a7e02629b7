/* SPDX-License-Identifier: MIT */
/*
 * Lists a tar or zip. Pictures in a plain tar are used where they lie in the (mapped) file; those of a
 * compressed archive are unpacked into memory once.
 */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"
#include "data/links.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#define MEMBER_LIMIT ((int64_t)1 << 30)
/* Texts beside the pictures are kept up to here: they may be lists that tell the classes. */
#define LIST_LIMIT ((int64_t)1 << 26)

struct listing {
    struct graft_dataset *dataset;
    struct graft_source *source;
    int source_number;
    struct archive *archive;
    int64_t members;
    int64_t files, encrypted;
    struct graft_links links;
    struct graft_text text; /* a name, or a member of unknown size, being put together */
};

static enum graft_status no_memory(const struct listing *listing)
{
    return graft_fail(listing->dataset->context, GRAFT_ERROR_MEMORY, "%s: no memory to list it",
                      listing->source->path);
}

static bool lacks_memory(const struct listing *listing)
{
    return archive_errno(listing->archive) == ENOMEM || errno == ENOMEM;
}

static const char *reason(const struct listing *listing)
{
    const char *const text = archive_error_string(listing->archive);
    return text ? text : "unknown reason";
}

/* The archive cannot be read any further. */
static enum graft_status damaged(const struct listing *listing)
{
    if (lacks_memory(listing)) {
        return no_memory(listing);
    }
    return graft_fault_note(listing->dataset, GRAFT_ERROR_FORMAT,
                            "%s: damaged after member %lld: %s; copy it again", listing->source->path,
                            (long long)listing->members, reason(listing));
}

/* One member cannot be used: it fails when it is read. */
static enum graft_status spoil(const struct listing *listing, struct graft_entry *entry, const char *format,
                               const char *detail)
{
    char text[512];
    snprintf(text, sizeof text, format, detail);
    entry->data = NULL;
    entry->fault = graft_names_add(listing->dataset, text, strlen(text));
    return entry->fault ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

/* The bytes of a member within the mapped file, if they lie there as they are; NULL otherwise. */
static const uint8_t *find_in_map(const struct listing *listing, struct archive_entry *item, uint64_t size,
                                  const void *first, int64_t first_offset)
{
    if (archive_filter_count(listing->archive) != 1 || archive_entry_sparse_count(item) != 0 ||
        first_offset != 0 ||
        (archive_format(listing->archive) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_TAR) {
        return NULL;
    }
    /* The library reads the map itself, so what it hands out points there, unless it had to join two pieces.
     */
    const struct graft_file_map *const map = &listing->source->map;
    const uintptr_t begin = (uintptr_t)map->data, at = (uintptr_t)first;
    if (at < begin || at >= begin + map->size || size > map->size - (at - begin)) {
        return NULL;
    }
    return map->data + (at - begin);
}

/* What the library says of a block; *status is set where the member is done with. */
static bool goes_on(const struct listing *listing, struct graft_entry *entry, int code, enum graft_status *status)
{
    if (code == ARCHIVE_OK || code == ARCHIVE_RETRY) {
        return true;
    }
    if (code == ARCHIVE_FATAL || lacks_memory(listing)) {
        const enum graft_status ended = lacks_memory(listing) ? no_memory(listing) : GRAFT_OK;
        *status = ended != GRAFT_OK ? ended : spoil(listing, entry, "cut off in the archive: %s; copy it again",
                                                    reason(listing));
        return false;
    }
    *status = spoil(listing, entry, "damaged in the archive: %s; copy it again", reason(listing));
    return false;
}

/* Unpacks the rest of a member behind the first block that has been read already. */
static enum graft_status unpack(const struct listing *listing, uint64_t size, const void *first,
                                size_t first_size, int64_t first_offset, int first_code,
                                struct graft_entry *entry)
{
    uint8_t *const memory = graft_source_store(listing->dataset, listing->source, size);
    if (!memory) {
        return GRAFT_ERROR_MEMORY;
    }
    const void *block = first;
    size_t block_size = first_size;
    int64_t offset = first_offset;
    uint64_t done = 0;
    int code = first_code;
    enum graft_status status = GRAFT_OK;
    while (code != ARCHIVE_EOF) {
        if (!goes_on(listing, entry, code, &status)) {
            return status;
        }
        if (offset < 0 || (uint64_t)offset < done || (uint64_t)offset > size ||
            block_size > size - (uint64_t)offset) {
            return spoil(listing, entry, "damaged in the archive: %s; copy it again", "blocks out of order");
        }
        memset(memory + done, 0, (size_t)((uint64_t)offset - done));
        if (block_size > 0) {
            memcpy(memory + offset, block, block_size);
        }
        done = (uint64_t)offset + block_size;
        errno = 0;
        code = archive_read_data_block(listing->archive, &block, &block_size, &offset);
    }
    memset(memory + done, 0, (size_t)(size - done));
    entry->data = memory;
    entry->size = size;
    return GRAFT_OK;
}

/* The same for a member that does not tell its size: a zip that was written to a pipe. */
static enum graft_status unpack_unsized(struct listing *listing, const void *first, size_t first_size,
                                        int first_code, struct graft_entry *entry)
{
    struct graft_context *const context = listing->dataset->context;
    const void *block = first;
    size_t block_size = first_size;
    int64_t offset = 0;
    int code = first_code;
    enum graft_status status = GRAFT_OK;
    listing->text.length = 0;
    while (code != ARCHIVE_EOF) {
        if (!goes_on(listing, entry, code, &status)) {
            return status;
        }
        if (offset != (int64_t)listing->text.length || (int64_t)block_size > MEMBER_LIMIT - offset) {
            return spoil(listing, entry, "damaged in the archive: %s", "blocks out of order or too many");
        }
        graft_text_append_bytes(context, &listing->text, block, block_size);
        if (listing->text.failed) {
            return GRAFT_ERROR_MEMORY;
        }
        errno = 0;
        code = archive_read_data_block(listing->archive, &block, &block_size, &offset);
    }
    uint8_t *const memory = graft_source_store(listing->dataset, listing->source, listing->text.length);
    if (!memory) {
        return GRAFT_ERROR_MEMORY;
    }
    memcpy(memory, listing->text.data ? listing->text.data : "", listing->text.length);
    entry->data = memory;
    entry->size = listing->text.length;
    return GRAFT_OK;
}

/* Finds the bytes of a member; one that is no picture by name nor by its first bytes is left empty. */
static enum graft_status add_file(struct listing *listing, struct archive_entry *item,
                                  struct graft_entry *entry)
{
    const void *first = NULL;
    size_t first_size = 0;
    int64_t first_offset = 0;
    const bool sized = archive_entry_size_is_set(item);
    const int64_t size = sized ? archive_entry_size(item) : 0;
    listing->files++;
    entry->data = (const uint8_t *)"";
    if (archive_entry_is_encrypted(item)) {
        listing->encrypted++;
        return spoil(listing, entry, "%s; unpack the archive with its password into a folder", "it is encrypted");
    }
    if (size < 0 || size > MEMBER_LIMIT) {
        return spoil(listing, entry, "%s", "it is too large for a picture");
    }
    errno = 0;
    const int code = archive_read_data_block(listing->archive, &first, &first_size, &first_offset);
    if (code == ARCHIVE_EOF) {
        return GRAFT_OK;
    }
    const bool readable = code == ARCHIVE_OK || code == ARCHIVE_WARN;
    const bool list = graft_path_is_list(entry->path) && sized && size <= LIST_LIMIT;
    if (!graft_path_is_picture(entry->path) && !list &&
        !(readable && graft_picture_magic(first, first_offset == 0 ? first_size : 0))) {
        return code == ARCHIVE_FATAL && lacks_memory(listing) ? no_memory(listing) : GRAFT_OK;
    }
    if (!sized) {
        return unpack_unsized(listing, first, first_size, code, entry);
    }
    entry->size = (uint64_t)size;
    entry->data = code == ARCHIVE_OK ? find_in_map(listing, item, entry->size, first, first_offset) : NULL;
    return entry->data ? GRAFT_OK
                       : unpack(listing, entry->size, first, first_size, first_offset, code, entry);
}

/* The name as a path of the data set: without ".", ".." and slashes around it, in UTF-8; NULL: no memory. */
static const char *add_name(struct listing *listing, const char *name)
{
    const bool zip = (archive_format(listing->archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
    listing->text.length = 0;
    graft_text_append_bytes(listing->dataset->context, &listing->text, name, strlen(name));
    if (listing->text.failed) {
        return NULL;
    }
    char *const text = listing->text.data;
    for (char *at = text; zip && !strchr(name, '/') && (at = strchr(at, '\\')) != NULL;) {
        *at = '/'; /* written on Windows */
    }
    return graft_names_add_utf8(listing->dataset, text, graft_path_tidy(text));
}

static const char *member_name(const struct listing *listing, struct archive_entry *item)
{
    (void)listing;
    const char *const name = archive_entry_pathname(item);
    return name ? name : archive_entry_pathname_utf8(item);
}

/* A link is followed when all members are known. */
static enum graft_status add_link(struct listing *listing, struct archive_entry *item, const char *path)
{
    const char *const hard = archive_entry_hardlink(item);
    const char *const target = hard ? hard : archive_entry_symlink(item);
    if (!target) {
        return GRAFT_OK;
    }
    const char *const kept =
        hard ? add_name(listing, hard) : graft_names_add_utf8(listing->dataset, target, strlen(target));
    return kept && graft_links_add(listing->dataset, &listing->links, path, kept, hard == NULL) ? GRAFT_OK
                                                                                               : GRAFT_ERROR_MEMORY;
}

static enum graft_status add_member(struct listing *listing, struct archive_entry *item)
{
    errno = 0;
    const char *const name = member_name(listing, item);
    if (!name && errno == ENOMEM) {
        return no_memory(listing);
    }
    if (!name) {
        return graft_fault_note(listing->dataset, GRAFT_ERROR_FORMAT,
                                "%s: member %lld has a name that cannot be read; unpack it into a folder",
                                listing->source->path, (long long)listing->members);
    }
    const bool is_link = archive_entry_hardlink(item) || archive_entry_filetype(item) == AE_IFLNK;
    const bool is_folder = archive_entry_filetype(item) == AE_IFDIR;
    const bool is_file = archive_entry_filetype(item) == AE_IFREG;
    const char *const path = add_name(listing, name);
    if (!path) {
        return GRAFT_ERROR_MEMORY;
    }
    if (path[0] == '\0' || graft_path_is_clutter(path)) {
        return GRAFT_OK;
    }
    if (is_link || !(is_folder || is_file)) {
        return is_link ? add_link(listing, item, path) : GRAFT_OK;
    }
    struct graft_entry found = {.path = path,
                                .source = (uint8_t)listing->source_number,
                                .folder = is_folder,
                                .split = GRAFT_NO_SPLIT,
                                .number = listing->members};
    if (is_file) {
        const enum graft_status status = add_file(listing, item, &found);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    struct graft_entry *const entry = graft_entry_add(listing->dataset);
    if (!entry) {
        return GRAFT_ERROR_MEMORY;
    }
    *entry = found;
    return GRAFT_OK;
}

/* False: no memory. A filter that an outer program does is a warning only. */
static bool support_kinds(struct archive *archive)
{
    static int (*const kinds[])(struct archive *) = {
        archive_read_support_filter_gzip, archive_read_support_filter_bzip2, archive_read_support_filter_xz,
        archive_read_support_filter_zstd, archive_read_support_format_tar,   archive_read_support_format_zip};
    bool good = true;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        good = kinds[i](archive) >= ARCHIVE_WARN && good;
    }
    return good;
}

/* The mapped file as the library reads it. Its own way to read memory is not checked for a lack of memory. */
struct map_reader {
    const struct graft_file_map *map;
    int64_t position;
};

static la_ssize_t on_read(struct archive *archive, void *argument, const void **block)
{
    struct map_reader *const reader = argument;
    (void)archive;
    const int64_t at = reader->position;
    *block = reader->map->data + at;
    reader->position = (int64_t)reader->map->size;
    return reader->position - at;
}

static la_int64_t on_skip(struct archive *archive, void *argument, la_int64_t bytes)
{
    struct map_reader *const reader = argument;
    (void)archive;
    const int64_t left = (int64_t)reader->map->size - reader->position;
    const int64_t skipped = bytes < 0 ? 0 : bytes < left ? bytes : left;
    reader->position += skipped;
    return skipped;
}

static la_int64_t on_seek(struct archive *archive, void *argument, la_int64_t offset, int whence)
{
    struct map_reader *const reader = argument;
    (void)archive;
    const int64_t size = (int64_t)reader->map->size;
    const int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_END ? size : reader->position;
    if (offset < -from || offset > size - from) {
        return ARCHIVE_FATAL;
    }
    reader->position = from + offset;
    return reader->position;
}

static int open_map(struct archive *archive, struct map_reader *reader)
{
    const bool set = archive_read_set_read_callback(archive, on_read) == ARCHIVE_OK &&
                     archive_read_set_skip_callback(archive, on_skip) == ARCHIVE_OK &&
                     archive_read_set_seek_callback(archive, on_seek) == ARCHIVE_OK &&
                     archive_read_set_callback_data(archive, reader) == ARCHIVE_OK;
    return set ? archive_read_open1(archive) : ARCHIVE_FATAL;
}

/* What the library warns of about a member as a whole. */
static enum graft_status warn(const struct listing *listing, int code)
{
    if (code != ARCHIVE_WARN || lacks_memory(listing)) {
        return lacks_memory(listing) ? no_memory(listing) : GRAFT_OK;
    }
    if (listing->dataset->options.list_faults) {
        return graft_fault_note(listing->dataset, GRAFT_ERROR_FORMAT, "%s: member %lld is suspect: %s",
                                listing->source->path, (long long)listing->members + 1, reason(listing));
    }
    graft_log(listing->dataset->context, GRAFT_LOG_WARNING, "%s: member %lld is suspect: %s", listing->source->path,
              (long long)listing->members + 1, reason(listing));
    return GRAFT_OK;
}

/* By its first bytes: gzip, bzip2, xz, zstd, zip, or tar. */
static bool looks_like_archive(const struct graft_file_map *map)
{
    static const struct {
        size_t at, length;
        const char *bytes;
    } known[] = {{0, 2, "\x1f\x8b"}, {0, 3, "BZh"},  {0, 6, "\xfd" "7zXZ"},
                 {0, 4, "\x28\xb5\x2f\xfd"}, {0, 4, "PK\3\4"}, {257, 5, "ustar"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (map->size >= known[i].at + known[i].length &&
            memcmp(map->data + known[i].at, known[i].bytes, known[i].length) == 0) {
            return true;
        }
    }
    return false;
}

/* The member's description has memory of our own: the library's is not checked by it. */
static enum graft_status read_members(struct listing *listing, struct archive_entry *item)
{
    struct archive *const archive = listing->archive;
    struct map_reader reader = {.map = &listing->source->map};
    enum graft_status status = GRAFT_OK;
    errno = 0; /* malloc's tells more than the library's */
    int code = open_map(archive, &reader);
    while (status == GRAFT_OK && code >= ARCHIVE_WARN) {
        errno = 0;
        code = archive_read_next_header2(archive, item);
        if (code == ARCHIVE_EOF || code < ARCHIVE_WARN) {
            break;
        }
        status = warn(listing, code);
        status = status == GRAFT_OK ? add_member(listing, item) : status;
        listing->members++;
    }
    if (status != GRAFT_OK || code == ARCHIVE_EOF) {
        return status;
    }
    if (listing->members == 0 && !lacks_memory(listing) && looks_like_archive(&listing->source->map)) {
        return graft_fail(listing->dataset->context, GRAFT_ERROR_FORMAT,
                          "%s: damaged at its beginning, or a compressed file that is no tar: %s; copy it again, "
                          "unpack it into a folder, or, of IDX files, name the folder that they lie in",
                          listing->source->path, reason(listing));
    }
    return listing->members > 0 || lacks_memory(listing)
               ? damaged(listing)
               : graft_fail(listing->dataset->context, GRAFT_ERROR_FORMAT,
                            "%s is neither a folder, a tar or zip, nor a table that ends in .csv",
                            listing->source->path);
}

static enum graft_status list_members(struct graft_dataset *dataset, struct graft_source *source)
{
    struct listing listing = {
        .dataset = dataset, .source = source, .source_number = dataset->source_count - 1};
    const int64_t begin = dataset->entry_count;
    enum graft_status status =
        graft_file_map_open(dataset->context, listing.source->path, &listing.source->map);
    if (status != GRAFT_OK) {
        return status;
    }
    listing.archive = archive_read_new();
    struct archive_entry *const item = archive_entry_new();
    status = listing.archive && item && support_kinds(listing.archive) ? read_members(&listing, item)
                                                                       : no_memory(&listing);
    archive_entry_free(item);
    archive_read_free(listing.archive);
    if (status == GRAFT_OK && listing.files > 0 && listing.encrypted == listing.files) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                            "%s: its members are encrypted; unpack it with its password into a folder", source->path);
    }
    if (status == GRAFT_OK) {
        status = graft_links_follow(dataset, &listing.links, begin);
    }
    graft_links_close(dataset, &listing.links);
    graft_text_close(dataset->context, &listing.text);
    return status;
}

/* What kind of file it is shows when it is opened. */
static bool is_file(const char *path, const struct stat *facts)
{
    (void)path;
    return S_ISREG(facts->st_mode);
}

static enum graft_status list_archive(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    struct graft_source *const source = graft_source_add(dataset, &graft_source_archive, path, split);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    /* Names are UTF-8 here; the archive library converts them to this thread's locale, "C" in most programs.
     */
    errno = 0;
    const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!utf8 && errno == ENOMEM) {
        return graft_fail(dataset->context, GRAFT_ERROR_MEMORY, "%s: no memory to read its names", path);
    }
    const locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    const enum graft_status status = list_members(dataset, source);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return status;
}

static void name_member(const struct graft_source *source, const struct graft_entry *entry, char *text,
                        size_t size)
{
    snprintf(text, size, "%s:%s", source->path, entry->path);
}

static enum graft_status fetch_member(const struct graft_source *source, const struct graft_entry *entry,
                                      struct graft_scratch *scratch, struct graft_sample *sample,
                                      struct graft_fault *fault)
{
    (void)source;
    (void)scratch;
    (void)fault;
    *sample = (struct graft_sample){.data = entry->data, .size = (size_t)entry->size};
    return GRAFT_OK;
}

const struct graft_source_kind graft_source_archive = {
    .name = "a folder for each class",
    .expects = "a folder, tar or zip",
    .kind = GRAFT_DATASET_FOLDERS,
    .tree = true,
    .recognizes = is_file,
    .list = list_archive,
    .entry_name = name_member,
    .fetch = fetch_member,
};
