-- milter.lua - the milter front as OpenDKIM's miltertest sees it, a client
-- that shares nothing with us.  Says "ok NAME" or "not ok NAME".
--
-- usage: miltertest -D socket=inet:PORT@127.0.0.1 -s milter.lua
-- The policy: acme.example is internal, bad.example blocked by envelope,
-- evil.example by header for al alone, good.example permitted.

local conn = mt.connect(socket, 20, 0.05)
if conn == nil then
	error("cannot connect to " .. socket)
end

local function check(name, good)
	mt.echo((good and "ok " or "not ok ") .. name)
end

-- said NAME ERROR REPLY: the command went out and had this answer
local function said(name, err, reply)
	check(name, err == nil and mt.getreply(conn) == reply)
end

local function message(sender, from)
	mt.macro(conn, SMFIC_MAIL, "i", "QUEUE1")
	said("mail_from_" .. sender, mt.mailfrom(conn, "<" .. sender .. ">"),
	    SMFIR_CONTINUE)
	said("al_under_" .. sender, mt.rcptto(conn, "<al@acme.example>"),
	    SMFIR_CONTINUE)
	said("bo_under_" .. sender, mt.rcptto(conn, "<bo@acme.example>"),
	    SMFIR_CONTINUE)
	mt.header(conn, "X-Postern-Bypass", "forged")
	mt.header(conn, "From", from)
	said("headers_of_" .. sender, mt.eoh(conn), SMFIR_CONTINUE)
	said("message_of_" .. sender, mt.eom(conn), SMFIR_CONTINUE)
	check("forged_header_goes_from_" .. sender,
	    mt.eom_check(conn, MT_HDRDELETE, "X-Postern-Bypass"))
	check("decision_header_comes_to_" .. sender,
	    mt.eom_check(conn, MT_HDRADD, "X-Postern-Decision"))
end

check("negotiation", mt.negotiate(conn, nil, nil, nil) == nil)
check("asks_to_delete_recipients", mt.test_action(conn, SMFIF_DELRCPT))
check("asks_for_no_body", mt.test_option(conn, SMFIP_NOBODY))
check("asks_to_be_told_of_refused_recipients",
    mt.test_option(conn, SMFIP_RCPT_REJ))
check("connect", mt.conninfo(conn, "mx.far.example", "198.51.100.7") == nil)
check("helo", mt.helo(conn, "client.example") == nil)

said("mail_from_blocked", mt.mailfrom(conn, "<x@bad.example>"), SMFIR_CONTINUE)
said("blocked_is_refused_at_rcpt", mt.rcptto(conn, "<al@acme.example>"),
    SMFIR_REPLYCODE)
check("abort", mt.abort(conn) == nil)

message("far@far.example", "a@evil.example")
check("al_is_taken_out",
    mt.eom_check(conn, MT_RCPTDELETE, "<al@acme.example>"))
check("bo_is_not", not mt.eom_check(conn, MT_RCPTDELETE, "<bo@acme.example>"))
message("x@good.example", "x@good.example")
check("permit_is_signalled", mt.eom_check(conn, MT_HDRADD, "X-Postern-Bypass",
    "spam, greylist, reputation; granted-by=admin"))
check("nobody_is_taken_out", not mt.eom_check(conn, MT_RCPTDELETE,
    "<al@acme.example>"))
check("quit", mt.disconnect(conn) == nil)
