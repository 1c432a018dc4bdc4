/*
 * csv.c - splits lines into fields, in place.
 */
#include "controller/policy/csv.h"

#include <stdbool.h>
#include <string.h>

size_t
csv_split(char *line, char **field, size_t max)
{
	char *in = line, *out;
	size_t n = 0;

	for (;;) {
		bool quoted;

		in += strspn(in, " \t");
		quoted = *in == '"';
		in += quoted;
		field[n++] = out = in;
		for (; *in != '\0' && (quoted || *in != ','); in++) {
			if (quoted && *in == '"' && in[1] != '"') {
				in++;
				quoted = false;
				in += strspn(in, " \t");
				break;
			}
			in += quoted && *in == '"';
			*out++ = *in;
		}
		if (quoted || (*in != '\0' && *in != ','))
			return 0;
		if (*in == '\0' || n == max) {
			*out = '\0';
			return n;
		}
		in++;
		*out = '\0';
	}
}

char *
csv_line(char **text)
{
	char *line = *text;
	size_t len;

	if (line == NULL || *line == '\0')
		return NULL;
	len = strcspn(line, "\n");
	*text = line[len] == '\0' ? NULL : line + len + 1;
	line[len] = '\0';
	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
		line[--len] = '\0';
	return line;
}
