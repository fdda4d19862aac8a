package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// forwardPiece is how much of an answer is handed on at once, at most.
const forwardPiece = 32 << 10

// Passage is a call that is passed on as it is.
type Passage struct {
	// Method and Path are where it goes.
	Method, Path string
	// Name is what clients call the operation, for errors.
	Name string
	// ContentType is that of Body.
	ContentType string
	// Body is sent as it is; nil sends none.
	Body []byte
	// Stream is sent in Body's place, where it is set.
	Stream io.Reader
	// MayLack says that servers of this dialect may not have the path: 404, 405
	// and 501 then mean that, unless they are about the model.
	MayLack bool
}

// Pass makes the call as provider.Forwarder promises. It is never sent twice.
// Passed back are statuses below 300, and those from 400 on that are about the
// client's own request: not the ones about the key (401, 403, 407), the account
// (402), the rate of all calls (429) or time (408), which are errors.
func (c *Client) Pass(ctx context.Context, p Passage, sink func(*gptv1.ForwardResponse) error) error {
	target, err := c.Target(p.Path)
	if err != nil {
		return provider.Unreachable(c.cfg.Name, true, err)
	}
	resp, err := c.send(ctx, &Request{Method: p.Method, Target: target, Body: p.Body, Stream: p.Stream, ContentType: p.ContentType, Accept: "*/*", Once: true})
	if err != nil {
		return err
	}
	if resp.Status >= 300 || resp.Status < 200 {
		return c.passRefusal(ctx, p, resp, sink)
	}
	defer resp.Body.Close()
	if err := sink(&gptv1.ForwardResponse{Status: int32(resp.Status), Headers: passedHeaders(resp.Header)}); err != nil {
		return err
	}
	piece := make([]byte, forwardPiece)
	for {
		n, err := resp.Body.Read(piece)
		if n > 0 {
			if err := sink(&gptv1.ForwardResponse{Data: piece[:n]}); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return nil
		default:
			return provider.Truncated(c.cfg.Name, err)
		}
	}
}

// passRefusal passes an answer back that is no success, or makes an error of it.
func (c *Client) passRefusal(ctx context.Context, p Passage, resp *upstream.Response, sink func(*gptv1.ForwardResponse) error) error {
	body, err := c.complaint(ctx, resp)
	if err != nil {
		return err
	}
	switch status := resp.Status; {
	case p.MayLack && lacks(status, ParseDetail(body)):
		return &provider.Error{Status: status, Refused: true, Fault: fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
			"the provider "+c.cfg.Name+" has no "+p.Name, "provider", c.cfg.Name, "operation", p.Name, "status", strconv.Itoa(status))}
	case !ownFault(status):
		return c.refused(resp, body)
	}
	for _, secret := range c.cfg.Secrets {
		if secret != "" {
			body = bytes.ReplaceAll(body, []byte(secret), []byte("[key]"))
		}
	}
	return sink(&gptv1.ForwardResponse{Status: int32(resp.Status), Headers: passedHeaders(resp.Header), Data: body})
}

// ownFault says that a status is about the client's own request.
func ownFault(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired,
		http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// lacks says that a server does not know the path.
func lacks(status int, detail Detail) bool {
	switch status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return status == http.StatusNotFound && !isModelMissing(status, detail)
}

// passedHeaders are the headers that clients may see.
func passedHeaders(header upstream.Header) map[string]string {
	passed := map[string]string{}
	for _, field := range header {
		name := strings.ToLower(field.Name)
		if name == "content-type" || name == "retry-after" || strings.HasPrefix(name, "x-ratelimit-") {
			passed[name] = field.Value
		}
	}
	return passed
}
