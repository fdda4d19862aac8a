// Package sigv4 signs HTTP requests for Amazon's services, version 4 of the
// process: HMAC-SHA256 in the Authorization header over the whole request.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html,
// as of 2026-11. The path is encoded once more than it is sent, as all services
// but S3 want it; dot segments in it are not resolved.
package sigv4
