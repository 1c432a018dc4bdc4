/*
 * fuzz_record.c - any bytes as records (u8 key length, u16 value length, key,
 * value): the loader refuses them or builds tables of just those it took, and
 * takes none once they are finished.
 */

#include "proto/policy/tables.h"
#include "tests/fuzz/target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tables *t = tables_new(NULL);
	struct bytes in = bytes_of(data, len);
	uint64_t taken = 0;
	struct diag why;

	while (in.n > 0) {
		uint8_t key_len = bytes_u8(&in);
		uint16_t val_len = bytes_u16(&in);
		const uint8_t *key = bytes_take(&in, key_len);
		const uint8_t *val = bytes_take(&in, val_len);

		if (key == NULL || val == NULL)
			break;
		taken += tables_put(t, bytes_of(key, key_len),
		    bytes_of(val, val_len), &why) == 0;
	}
	fuzz_assert(tables_records_n(t) == taken);
	if (tables_finish(t, &why) == 0)
		fuzz_assert(tables_records_n(t) == taken &&
		    tables_policies_n(t) <= taken &&
		    tables_put(t, bytes_of("Ox", 2), bytes_of("", 0),
		    &why) < 0);
	tables_free(&t);
	return 0;
}
