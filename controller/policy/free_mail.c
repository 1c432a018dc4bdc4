/*
 * free_mail.c - well-known providers of free mailboxes.
 */
#include "controller/policy/free_mail.h"

#include <stddef.h>

static const char *const providers[] = {
	"126.com", "163.com", "aol.com", "bol.com.br", "email.cz",
	"fastmail.com", "free.fr", "gmail.com", "gmx.at", "gmx.ch",
	"gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.co.uk",
	"hotmail.com", "hotmail.de", "hotmail.fr", "hotmail.it",
	"icloud.com", "inbox.lv", "interia.pl", "laposte.net", "libero.it",
	"live.co.uk", "live.com", "live.nl", "mac.com", "mail.com",
	"mail.ru", "me.com", "msn.com", "naver.com", "o2.pl", "orange.fr",
	"outlook.com", "outlook.de", "outlook.fr", "proton.me",
	"protonmail.com", "qq.com", "rambler.ru", "rediffmail.com",
	"seznam.cz", "sina.com", "t-online.de", "tutanota.com", "uol.com.br",
	"wanadoo.fr", "web.de", "wp.pl", "yahoo.co.in", "yahoo.co.jp",
	"yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.de", "yahoo.es",
	"yahoo.fr", "yahoo.it", "yandex.ru", "ymail.com", "zoho.com", NULL
};

const char *const *
free_mail_builtin(void)
{
	return providers;
}
