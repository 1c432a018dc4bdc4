/*
 * load_http.c - requests for rspamd's /checkv2.
 */
#include "bench/load_http.h"

#include <stdio.h>
#include <string.h>

static const char message[] =
    "From: Someone <someone@sender.example>\r\n"
    "To: Other <other@acme.example>\r\nSubject: A question\r\n"
    "Date: Mon, 23 Nov 2026 17:25:43 +0000\r\n"
    "Message-Id: <1@sender.example>\r\n\r\nShort.\r\n";

bool
load_http_target(const char *target, const char **address)
{
	bool is = strncmp(target, "http:", 5) == 0;

	*address = is ? target + 5 : target;
	return is;
}

size_t
load_http_request(const struct load_conf *conf, uint64_t n, bool hit,
    char *out)
{
	char sender[SET_ADDRESS_MAX], rcpt[SET_ADDRESS_MAX];

	set_sender(conf->set, n, hit, sender);
	set_recipient(conf->set, n, conf->directory, rcpt);
	return (size_t)snprintf(out, LOAD_REQUEST_MAX,
	    "POST /checkv2 HTTP/1.0\r\nFrom: %s\r\nRcpt: %s\r\n"
	    "IP: 198.51.100.7\r\nHelo: mail.client.example\r\n"
	    "Content-Length: %zu\r\n\r\n%s", sender, rcpt,
	    sizeof(message) - 1, message);
}

bool
load_http_refused(const char *answer)
{
	return strstr(answer, "\"action\":\"reject\"") != NULL;
}
