"""The client's limits and defaults."""

TIMEOUT_S = 600.0  # one call, retries included
RETRIES = 2  # attempts after the first
RETRY_DELAY_MIN_S = 0.5
RETRY_DELAY_MAX_S = 8.0
RECONNECT_S = 30.0  # for which the pool is asked to let a stream go on after a lost connection
RECONNECT_DELAY_MIN_S = 0.1
RECONNECT_DELAY_MAX_S = 4.0
SILENCE_S = 15.0  # a pool sends a sign of life every 5 s on a stream to which one may come back
CANCEL_TIMEOUT_S = 5.0  # for the cancellation of a stream that is closed before its end
RETRY_AFTER_MAX_S = 30.0  # a longer Retry-After is not waited for
HTTP_TIMEOUT_S = 10.0
WELL_KNOWN_BYTES_MAX = 256 * 1024
DOCUMENT_BYTES_MAX = 64 * 1024 * 1024
POLL_MIN_S = 0.1
POLL_MAX_S = 2.0
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
JOBS_LIMIT = 50
URL_VARIABLE = "ENTRAIDE_URL"
KEY_VARIABLE = "ENTRAIDE_KEY"
CA_VARIABLE = "ENTRAIDE_CA"  # a file
CA_BYTES_MAX = 1024 * 1024
# Of batches: the pool's limits on a file, so that faults are found before anything is sent.
BATCH_LINES_MAX = 50_000
BATCH_LINE_BYTES_MAX = 4 * 1024 * 1024 + 64 * 1024
BATCH_FILE_BYTES_MAX = 200 * 1024 * 1024
CUSTOM_ID_MAX = 512
RESULT_LINE_BYTES_MAX = 64 * 1024 * 1024
BATCH_FAULTS_MAX = 20  # of a file; the rest is not looked for
BATCH_POLL_MIN_S = 0.25
BATCH_POLL_MAX_S = 15.0
BATCH_POLL_PART = 0.1  # of the time waited so far
BATCH_LOST_MAX_S = 900.0  # for which a wait outlasts a pool that does not answer
BATCHES_LIMIT = 20
BATCHES_LIMIT_MAX = 100
HTTP_IDLE_S = 120.0  # between two pieces of a request or an answer
