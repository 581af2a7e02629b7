/* SPDX-License-Identifier: MIT */
/* Zip archives as PyTorch writes them: members stored, their data at multiples of 64 bytes, sizes in the
 * local headers. */
#ifndef GRAFT_SRC_IO_ZIP_WRITE_H
#define GRAFT_SRC_IO_ZIP_WRITE_H

#include "base/file.h"
#include "base/text.h"

#define GRAFT_ZIP_ALIGNMENT 64

struct graft_zip_writer {
    struct graft_file_writer *file;
    struct graft_text directory; /* the central directory, so far */
    uint64_t at;                 /* bytes written */
    uint32_t count;
};

/* Appends a member. GRAFT_ERROR_UNSUPPORTED: the archive would exceed 4 GiB; GRAFT_ERROR_IO,
 * GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_zip_write(struct graft_zip_writer *writer, const char *name,
                                                   const void *data, size_t size);
/* Writes the central directory. */
GRAFT_MUST_CHECK enum graft_status graft_zip_write_end(struct graft_zip_writer *writer);
void graft_zip_write_close(struct graft_zip_writer *writer);

#endif
