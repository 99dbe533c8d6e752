// Package audit keeps the record of what Mooring decided and did, in an append-only file whose
// records are chained by hash. An intent is appended before a cluster is touched, its outcome
// after; when Append fails, nothing may be applied. Entries come from the engine; records go to
// `mlops audit verify` and `mlops audit export`. Nothing here decides, retries or edits: there is
// no function that changes or removes a record.
//
// # Format
//
// One record is one line of canonical JSON (RFC 8785: members sorted, no insignificant white
// space, one spelling for every string and number), all members always present:
//
//	{"action":…,"actor":…,"commit":…,"digest":…,"evidence":{…},"hash":…,"key":…,"phase":…,
//	 "prev":…,"reason":…,"seq":1,"subject":{"environment":…,"model":…,"repository":…,"team":…},
//	 "time":"2026-03-01T09:00:00.000000000Z","v":1}
//
// The hash is the lower-case hexadecimal SHA-256 of that line without the member "hash" and
// without the newline. "prev" is the hash of the line before, 64 zeros for the first; "seq" counts
// from 1 without gaps, so record N stands on line N. "v" is the version of the format.
//
// Numbers in evidence follow RFC 8785, which knows IEEE doubles only: an integer that a double
// cannot hold exactly is refused (pass it as a string), so are NaN and infinities. Numbers read
// back are json.Number.
//
// Beside the log at PATH stand PATH.head (the last acknowledged record, "SEQ:HASH"), PATH.lock
// (who writes, for the error message; the lock itself is on the log) and PATH.torn-N (bytes of
// an unfinished last line that a crash left, moved there by Open and recorded as a repair).
//
// # What a chain in a file proves, and what it does not
//
// Verify proves that no record before the last was changed, removed, inserted, repeated or moved
// after it was written by someone who did not also recompute every later hash. It cannot see that
// the end was cut off, and it cannot see a whole log rewritten from some record on, because the
// hashes need no secret. Both are seen by comparing with a head known from elsewhere: PATH.head
// catches a cut by accident or by someone who overlooked it; a head kept where the writer of the
// log cannot reach it (another account, a ticket, a commit status, object storage under a
// retention lock) catches everything up to that record. Records after the newest such head rest on
// the file's permissions alone. A chain proves order and integrity, not who wrote a record, not
// that its time is right and not that what it says is true.
//
// # Limits
//
// One writer per log, on a local Linux, macOS or BSD file system with working flock and fsync.
// No rotation: the log grows for ever, and must not be renamed or truncated under the writer
// (Append notices and fails). Open reads and verifies all of it, 100,000 records in less than a
// second of processor time; the index of keys costs 50 to 100 bytes of memory a record. Evidence is at most 64 KiB a
// record. One appender is bound by the disk's fsync; many share one.
package audit
