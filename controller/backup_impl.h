/*
 * backup_impl.h - what backup.c and restore.c share.
 */
#ifndef CONTROLLER_BACKUP_IMPL_H
#define CONTROLLER_BACKUP_IMPL_H

#include <sodium.h>

#include "controller/backup.h"

#define BACKUP_PATH 4400
#define BACKUP_FILE_MAX ((size_t)256 << 20)	/* one file of a database */

/* Copy one file, synced; and all plain files of a folder into a new one.
 * As file_write(). */
int backup_copy_file(const char *from, const char *to, struct diag *why);
int backup_copy_folder(const char *from, const char *to, struct diag *why);
/* The file of the first token, unless a person took it away. */
int backup_copy_token(const char *from, const char *to, struct diag *why);

#endif
