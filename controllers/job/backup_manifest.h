/*
 * backup_manifest: what each mode of a backup knows for the snapshot's manifest.
 */
#ifndef STASHD_BACKUP_MANIFEST_H
#define STASHD_BACKUP_MANIFEST_H

#include "controllers/job/backup.h"
#include "controllers/job/sst.h"

/* The donor's first connection has come. */
void backup_manifest_info(struct backup *b, const struct sst_info *info);
/* The stream is complete. */
void backup_manifest_stream(struct backup *b, const struct xbstream *stream);
/* Who made the dump. */
void backup_manifest_tool(struct backup *b, const char *program);

#endif
