package upstream

import (
	"context"
	"errors"
	"os"
)

// The causes that an [Error] may wrap, apart from the errors of the network and the cause of the context.
var (
	// ErrClosed means that the client has been closed.
	ErrClosed = errors.New("the client is closed")
	// ErrDialTimeout means that no connection came about within Config.DialTimeout.
	ErrDialTimeout = errors.New("timed out while connecting")
	// ErrTLSTimeout means that the TLS handshake took longer than Config.TLSTimeout.
	ErrTLSTimeout = errors.New("timed out in the TLS handshake")
	// ErrHeaderTimeout means that the request could not be written, or its answer did not begin, within HeaderTimeout.
	ErrHeaderTimeout = errors.New("timed out while waiting for the answer to begin")
	// ErrIdleTimeout means that the body was silent for longer than IdleTimeout.
	ErrIdleTimeout = errors.New("timed out while waiting for more of the answer")
	// ErrHeaderTooLarge means that the answer's head exceeds Config.MaxHeaderBytes.
	ErrHeaderTooLarge = errors.New("the head of the answer is too large")
	// ErrProtocol means that the answer is not HTTP/1.1 as RFC 9112 defines it.
	ErrProtocol = errors.New("malformed HTTP answer")
	// ErrRequest means that the request cannot be sent as it is, such as for a line break in a header value.
	ErrRequest = errors.New("invalid request")
	// ErrNotReady means that Request.Ready forbade to send.
	ErrNotReady = errors.New("the request was not to be sent")
	// ErrBodyClosed means that a body was read after it had been closed, or by two goroutines at once.
	ErrBodyClosed = errors.New("the body is closed")
)

// Error is how a request fails. All errors of Do and of a body's Read are of this type, but for a body's io.EOF.
// Its text holds the server's host and never anything of header or body.
type Error struct {
	// Op is what failed: "request", "dial", "tls", "write", "head" or "body".
	Op string
	// Host is the host and port the request was meant for.
	Host string
	// Sent reports whether the server may have begun to work on the request. It is false only when that is impossible:
	// no connection was made, or not one byte of the request was written to any.
	Sent bool
	// Err is the cause: the context's cause when the context has ended, io.ErrUnexpectedEOF when the answer was cut,
	// one of the Err… variables, or an error of the network.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return "upstream " + e.Host + ": " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// explain chooses what to tell about an error of the network: the cause of an ended context, the given error when a
// deadline has passed, else the error itself.
func explain(ctx context.Context, err, timeout error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case timeout != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return timeout
	default:
		return err
	}
}

// errUnfit ends an exchange on a kept connection that was found closed, or not silent, before a byte was written to it.
var errUnfit = errors.New("the connection is not fit for use")

// notReady is the error of Request.Ready.
type notReady struct{ err error }

func (e *notReady) Error() string        { return e.err.Error() }
func (e *notReady) Unwrap() error        { return e.err }
func (e *notReady) Is(target error) bool { return target == ErrNotReady }
