/*
 * csv.h - lines of comma-separated values (RFC 4180) as fields, for the lists
 * that people keep in spreadsheets.
 *
 * A quoted field never holds a line break here: what these lists hold has
 * none, so a line is a row and each error has its line.
 */
#ifndef POLICY_CSV_H
#define POLICY_CSV_H

#include <stddef.h>

/*
 * Split a NUL-terminated line in place; blanks around fields are dropped.
 * How many fields (at most max; what is beyond stays in the last), or 0 when
 * a quote does not end.
 */
size_t csv_split(char *line, char **field, size_t max);

/* Cut the next line off *text, without its end and trailing blanks; NULL
 * behind the last one. */
char *csv_line(char **text);

#endif
