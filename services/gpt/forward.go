package gpt

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/gptmesh/gptmesh/services/gpt/internal/rename"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// Forward implements gptv1.GPTServiceServer. To ledger, breaker and retries a
// call that is passed on is an answer of bytes. Its row has the tokens that the
// provider's answer tells of, where it tells any; else a guess at those of the
// text that was sent, and none of the answer. An answer with an error status that
// is passed back is a failed attempt. Changes of what an Ollama
// server holds cost nothing and have no row.
func (s *Service) Forward(req *gptv1.ForwardRequest, stream grpc.ServerStreamingServer[gptv1.ForwardResponse]) error {
	arrived := s.deps.Clock()
	if err := checkForward(req); err != nil {
		return err
	}
	admitted, err := s.calls.begin(stream.Context())
	if err != nil {
		return err
	}
	defer admitted.done()
	var ctx context.Context = admitted
	ctx, alive, cancel := s.lasting(ctx, manages(req.GetOperation()))
	defer cancel()
	plan, err := s.forwardPlan(ctx, req)
	if err != nil {
		return s.ended(ctx, err, "")
	}
	name := plan.Options[0].Target.Name()
	outbound, err := outboundTo(req, name)
	if err != nil {
		return err
	}
	return s.pass(ctx, passing{
		request: req, plan: plan, arrived: arrived, alive: alive, sink: stream.Send,
		outbound: func(to string) (*provider.ForwardCall, error) {
			if to == name {
				return outbound, nil
			}
			return outboundTo(req, to)
		},
	})
}

// outboundTo is the call as a provider gets it that knows the model by name.
func outboundTo(req *gptv1.ForwardRequest, name string) (*provider.ForwardCall, error) {
	contentType, body, err := renamed(req, name)
	return &provider.ForwardCall{Operation: req.GetOperation(), ContentType: contentType, Body: body, Digest: req.GetDigest()}, err
}

// passing is one call that is passed on.
type passing struct {
	request  *gptv1.ForwardRequest
	plan     registry.Plan // of places with a provider.Forwarder
	outbound func(model string) (*provider.ForwardCall, error)
	arrived  time.Time
	alive    func()
	sink     func(*gptv1.ForwardResponse) error
	spent    func() bool // the body cannot be sent again; nil where it always can
}

func (s *Service) pass(ctx context.Context, p passing) error {
	req := p.request
	f := &forwarding{sink: p.sink}
	c := &call{
		service: s, plan: p.plan, request: &gptv1.GenerateRequest{RequestId: req.GetRequestId()}, arrived: p.arrived,
		estimate: estimateForward(req), operation: operationName(req.GetOperation()), free: manages(req.GetOperation()), cautious: true,
	}
	c.work = &workOf{
		calling: func(ctx context.Context, to *registry.Option, _ *conversationv1.Turn, sink provider.Sink) error {
			outbound, err := p.outbound(to.Target.Name())
			if err != nil {
				return err
			}
			forwarder := to.Place.Lane.Provider.(provider.Forwarder) // as forwardPlan has found
			err = forwarder.Forward(ctx, outbound, func(piece *gptv1.ForwardResponse) error {
				p.alive()
				return f.push(piece, sink)
			})
			if err != nil && p.spent != nil && p.spent() && ctx.Err() == nil {
				return fault.From(err) // which nobody retries
			}
			if err != nil {
				return err
			}
			return f.finish(to.Target.Entry.Info.Name, sink)
		},
		sending: f.send,
	}
	if err := c.run(ctx); err != nil {
		return named(c.fated(err), req)
	}
	if f.failure != nil {
		return f.failure
	}
	if changes(req.GetOperation()) {
		s.registry.Renew(ctx, p.plan.Options[0].Target.Entry)
	}
	return nil
}

// forwarding passes the pieces of an answer through the machinery of attempts,
// which knows chunks.
type forwarding struct {
	sink    func(*gptv1.ForwardResponse) error
	piece   *gptv1.ForwardResponse // under way
	status  int32
	tail    usageTail
	whole   bool  // the provider's answer has ended
	failure error // why it has not
}

func (f *forwarding) push(piece *gptv1.ForwardResponse, sink provider.Sink) error {
	if piece.GetStatus() != 0 {
		f.status = piece.GetStatus()
	}
	f.piece = piece
	f.tail.add(piece.GetData())
	return sink(&conversationv1.Chunk{Raw: &conversationv1.RawChunk{Data: piece.GetData()}})
}

// finish ends the attempt behind a whole answer.
func (f *forwarding) finish(name string, sink provider.Sink) error {
	f.whole = true
	last := &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
	if f.status >= 400 {
		last.Kind = &conversationv1.Event_Failed{Failed: wire.Failure(fault.New(codes.InvalidArgument,
			meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED, "the provider "+name+" rejected the request", "provider", name))}
	}
	events := []*conversationv1.Event{last}
	if usage := f.tail.usage(); usage != nil {
		events = []*conversationv1.Event{{Kind: &conversationv1.Event_Usage{Usage: usage}}, last}
	}
	return sink(&conversationv1.Chunk{Events: events})
}

// send takes a chunk from the attempt.
func (f *forwarding) send(chunk *conversationv1.Chunk) error {
	if last := wire.Last(chunk); last != nil {
		if failed := last.GetFailed(); failed != nil && !f.whole {
			f.failure = wire.Fault(failed)
		}
		return nil
	}
	return f.sink(f.piece)
}

// lasting bounds a call: as a whole, or, with renewed, its silences, since a
// model of many gigabytes takes as long as it takes. alive breaks a silence.
func (s *Service) lasting(ctx context.Context, renewed bool) (out context.Context, alive, cancel func()) {
	out, stop := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.cfg.Timeouts.Total, func() { stop(errTotal) })
	alive = func() {}
	if renewed {
		alive = func() { timer.Reset(s.cfg.Timeouts.Total) }
	}
	return out, alive, func() {
		timer.Stop()
		stop(nil)
	}
}

var digestPattern = regexp.MustCompile(`^sha256[:-][0-9a-f]{64}$`)

// checkForward checks what the rules on the fields cannot say.
func checkForward(req *gptv1.ForwardRequest) error {
	switch req.GetOperation() {
	case gptv1.Operation_OPERATION_UNSPECIFIED:
		return fault.InvalidField("operation", "must be set")
	case gptv1.Operation_OPERATION_BLOB_CHECK, gptv1.Operation_OPERATION_BLOB_PUT:
		if !digestPattern.MatchString(req.GetDigest()) {
			return fault.InvalidField("digest", `must be "sha256:" and 64 hexadecimal digits`)
		}
	}
	return nil
}

// manages says that an operation is about the models that an Ollama server
// holds.
func manages(operation gptv1.Operation) bool {
	return operation >= gptv1.Operation_OPERATION_MODEL_PULL
}

// changes says that an operation changes a provider's list of models.
func changes(operation gptv1.Operation) bool {
	switch operation {
	case gptv1.Operation_OPERATION_MODEL_PULL, gptv1.Operation_OPERATION_MODEL_CREATE,
		gptv1.Operation_OPERATION_MODEL_COPY, gptv1.Operation_OPERATION_MODEL_DELETE:
		return true
	}
	return false
}

// operationName is how people read an operation: "audio speech".
func operationName(operation gptv1.Operation) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(operation.String(), "OPERATION_"), "_", " "))
}

// renamed is the body with the model's name at its provider. An empty name
// leaves the body as it is.
func renamed(req *gptv1.ForwardRequest, name string) (contentType string, body []byte, err error) {
	switch req.GetOperation() {
	case gptv1.Operation_OPERATION_BLOB_CHECK, gptv1.Operation_OPERATION_BLOB_PUT:
		return "", req.GetBody(), nil
	case gptv1.Operation_OPERATION_MODEL_COPY:
		body, err = rename.JSON(req.GetBody(), name, "source")
	case gptv1.Operation_OPERATION_MODEL_PULL, gptv1.Operation_OPERATION_MODEL_PUSH,
		gptv1.Operation_OPERATION_MODEL_CREATE, gptv1.Operation_OPERATION_MODEL_DELETE:
		body, err = rename.JSON(req.GetBody(), name, "model", "name")
	default:
		if rename.IsForm(req.GetContentType()) {
			return rename.Form(req.GetContentType(), req.GetBody(), name)
		}
		body, err = rename.JSON(req.GetBody(), name, "model")
	}
	return "application/json", body, err
}

// forwardPlan finds who takes a call that is passed on: of a route every target
// whose provider has the operation. All are provider.Forwarders.
func (s *Service) forwardPlan(ctx context.Context, req *gptv1.ForwardRequest) (registry.Plan, error) {
	if req.GetModel() == "" || manages(req.GetOperation()) {
		target, err := s.forwardTarget(ctx, req)
		if err != nil {
			return registry.Plan{}, err
		}
		return registry.PlanFor(target), nil
	}
	plan, err := s.registry.Plan(ctx, req.GetModel())
	if err != nil {
		return registry.Plan{}, err
	}
	first := plan.Options[0].Target.Entry.Info.Name
	plan.Options = slices.DeleteFunc(plan.Options, func(o registry.Option) bool { return !forwards(o.Target.Entry, req) })
	if len(plan.Options) == 0 {
		return registry.Plan{}, cannotForward(first, req)
	}
	return plan, nil
}

func forwards(e *registry.Entry, req *gptv1.ForwardRequest) bool {
	forwarder, ok := e.Provider.(provider.Forwarder)
	return ok && forwarder.Forwards(req.GetOperation())
}

// forwardTarget finds who takes a call that names no model, or manages one.
func (s *Service) forwardTarget(ctx context.Context, req *gptv1.ForwardRequest) (*registry.Target, error) {
	model := req.GetModel()
	s.registry.Refresh(ctx) // also waits until servers were looked for
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var entries []*registry.Entry
	for _, e := range s.registry.Entries() {
		if e.Provider != nil && forwards(e, req) {
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		return nil, cannotForward("", req)
	}
	if model != "" {
		// "provider/name" names the server; a model that one of them has is there.
		if prefix, rest, ok := strings.Cut(model, "/"); ok && rest != "" {
			if i := slices.IndexFunc(entries, func(e *registry.Entry) bool { return e.Info.Name == prefix }); i >= 0 {
				return forwardTo(entries[i], rest), nil
			}
		}
		if target, err := s.registry.Resolve(ctx, model); err == nil && target.Listed && slices.Contains(entries, target.Entry) {
			return target, nil
		}
	}
	if len(entries) > 1 {
		names := make([]string, 0, len(entries))
		for _, e := range entries {
			names = append(names, e.Info.Name)
		}
		return nil, fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL,
			"several providers can do "+operationName(req.GetOperation())+" ("+strings.Join(names, ", ")+
				"): name a model, as provider/model where it is not known yet", "field", "model")
	}
	return forwardTo(entries[0], model), nil
}

func forwardTo(e *registry.Entry, model string) *registry.Target {
	return &registry.Target{Entry: e, Model: &gptv1.Model{ProviderModel: model, Id: model, Provider: e.Info.Name}}
}

// cannotForward is the error where a provider, or where it has no name every one,
// lacks an operation.
func cannotForward(name string, req *gptv1.ForwardRequest) error {
	operation := operationName(req.GetOperation())
	message := "no configured provider can do " + operation
	if name != "" {
		message = "the provider " + name + " cannot do " + operation
	}
	if req.GetModel() != "" {
		message += ", asked for with the model " + req.GetModel()
	}
	return fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, message,
		"field", "model", "model", req.GetModel(), "operation", operation, "provider", name)
}

// named names operation and model in an error that a server gave because it
// lacks the operation.
func named(err error, req *gptv1.ForwardRequest) error {
	f := fault.From(err)
	if f.Reason == meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED && f.Metadata["operation"] != "" {
		return cannotForward(f.Metadata["provider"], req)
	}
	return err
}
