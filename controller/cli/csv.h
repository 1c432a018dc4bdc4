/*
 * csv.h - reads users' entries from CSV (RFC 4180).
 */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include <jansson.h>

/*
 * Append the rows of a file ("-": standard input) of user,action,entry to
 * rows as objects.  A first line "user,..." is a head that names the columns
 * (manual is action); BOM, CRLF, quotes and blank lines are fine.  CLI_OK, or
 * the exit status with the mistake printed, line by line.
 */
int csv_read_senders(const char *path, json_t *rows);

#endif
