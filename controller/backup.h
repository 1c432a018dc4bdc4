/*
 * backup.h - the whole controller in a folder, while it runs; and such a
 * folder back in place.
 *
 * A backup holds policy/ and ACKED (the store), messages/, keys/, the file of
 * the first token and, written last, BACKUP: JSON {version, digest, records,
 * time, controller}.  A folder without BACKUP is no backup.  It holds secret
 * keys: mode 0700.
 *
 * A restored store is marked: its controller publishes nothing until it was
 * adopted, since nodes may have taken versions behind the backup.  It holds
 * no join token, since one may have been used since.
 */
#ifndef CONTROLLER_BACKUP_H
#define CONTROLLER_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/messages/messages.h"
#include "controller/store.h"

struct backup;

/* All is borrowed until backup_free(); dir is the controller's folder. */
struct backup *backup_new(struct store *s, struct messages *m,
    const char *dir);
/* Ends one that runs and waits for it; never with the lock held. */
void backup_free(struct backup **b);

/*
 * Begin to copy the version in force into the folder `to`, an absolute path
 * where nothing is.  Needs the lock; does not wait.  0; ERR_BUSY: one is
 * under way; ERR_INVAL; ERR_EXISTS; ERR_IO.
 */
int backup_begin(struct backup *b, const char *to, struct diag *why);

struct backup_status {
	bool running;
	char to[1024];			/* "": none was begun */
	uint64_t version;
	int rc;				/* once it ended */
	struct diag why;		/* when that is an error */
};
/* Any thread. */
void backup_status(struct backup *b, struct backup_status *out);

/*
 * Put the backup `from` into the folder dir, which holds no store yet, and
 * mark it.  0; ERR_NOENT: that is no backup; ERR_EXISTS; ERR_CORRUPT: it does
 * not open as it says; ERR_IO.
 */
int backup_restore(const char *from, const char *dir, struct diag *why);
/* postern-controller restore --from BACKUP --dir DIR: the exit status. */
int backup_restore_main(int argc, char **argv);

/* The mark in a store. */
bool backup_is_marked(struct store *s);
int backup_unmark(struct store *s, struct diag *why);

#endif
