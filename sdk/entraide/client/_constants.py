"""The client's limits and defaults."""

TIMEOUT_S = 600.0  # one call, retries included
RETRIES = 2  # attempts after the first
RETRY_DELAY_MIN_S = 0.5
RETRY_DELAY_MAX_S = 8.0
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
