package response

import (
	"context"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/deferred"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/stacks"
	"github.com/gptmesh/gptmesh/services/response/internal/postprocess"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Generate implements the RPC. The row's commit runs beside the model call, so
// that an id that is taken may be found only when the call has begun; the call
// is then ended.
func (s *Service) Generate(req *responsev1.GenerateRequest, stream grpc.ServerStreamingServer[responsev1.GenerateResponse]) error {
	ctx := stream.Context()
	r, err := s.prepare(ctx, req)
	if err != nil {
		return err
	}
	switch req.GetOnDisconnect() {
	case responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH:
		if err := s.admit(r); err != nil {
			return err
		}
		return s.generateDetached(ctx, r, stream.Send)
	}
	runCtx := &r.scope
	runCtx.Start(ctx)
	defer runCtx.Cancel(nil)
	r.reins.Bind(runCtx)
	r.writes = durable.From(ctx)
	if err := s.admit(r); err != nil {
		return err
	}
	r.stream = stream
	return s.make(runCtx, r)
}

// generateDetached makes the answer on a goroutine of the room; the caller
// follows its log like any watcher.
func (s *Service) generateDetached(ctx context.Context, r *run, send func(*responsev1.GenerateResponse) error) error {
	s.mu.Lock()
	r.shared = true
	s.mu.Unlock()
	s.work.Go(func() {
		// The caller, who may leave, does not wait for the rows.
		bounded, stop := callctx.Lasting(durable.With(ctx, nil), s.cfg.MaxDuration)
		defer stop()
		runCtx := &r.scope
		runCtx.Start(bounded)
		defer runCtx.Cancel(nil)
		r.reins.Bind(runCtx)  // a cancellation may have come before this line
		_ = s.make(runCtx, r) // its row says what became of it
	})
	return r.follow(ctx, 0, func(chunk *conversationv1.Chunk) error {
		return send(&responsev1.GenerateResponse{Chunk: chunk})
	})
}

// prepare checks a request and makes its run.
func (s *Service) prepare(ctx context.Context, req *responsev1.GenerateRequest) (*run, error) {
	if req.GetTurn() == nil {
		return nil, fault.InvalidField("turn", "is required")
	}
	rules, err := postprocess.Compile(req.GetPostProcessing())
	if err != nil {
		return nil, err
	}
	now := s.deps.Clock()
	id := req.GetResponseId()
	if id == "" {
		id = ids.At("resp", now)
	}
	owner := callctx.Owner(ctx)
	p := pool.Get().(*parts)
	r := &run{
		s: s, id: id, owner: owner, req: req, begin: now, parts: p, response: &p.response,
	}
	r.response.Id, r.response.RequestId, r.response.SessionId, r.response.Owner = id, req.GetRequestId(), req.GetSessionId(), owner
	r.response.State, r.response.CreateTime = responsev1.Response_STATE_RUNNING, stamp(&p.created, now)
	p.assembler.MaxBytes = s.cfg.MaxAnswerBytes
	r.log.Init(s.cfg.MaxAnswerBytes)
	if ttl := req.GetCache().GetTtl().AsDuration(); ttl > 0 && s.cache != nil {
		key, err := cacheKeyOf(owner, req)
		if err != nil {
			return nil, fault.Internal(err)
		}
		r.key, r.ttl = key, ttl
		r.kept = s.cache.get(key, ttl)
		result := "miss"
		if r.kept != nil {
			result = "hit"
		}
		s.metrics.cache.WithLabelValues(result).Inc()
	}
	if rules != nil && r.kept == nil {
		r.rules = rules.New(s.cfg.MaxAnswerBytes)
	}
	r.guarding = r.withholding()
	return r, nil
}

// make makes the answer, from the model call to the terminal chunk, on the
// caller's goroutine. The error is what a caller who saw no terminal chunk
// gets.
func (s *Service) make(ctx context.Context, r *run) error {
	defer s.dismiss(r)
	defer r.done.Open()
	defer r.log.Close()
	begin := func() error {
		beginCtx, cancel := callctx.Lasting(ctx, s.cfg.StoreTimeout)
		defer cancel()
		return s.store.Begin(beginCtx, r.row(), s.instance) // the run's own changes while this is written
	}
	joins := r.writes != nil && !s.shared // the store leaves the waiting to the group
	switch {
	case r.rowWaits() && joins:
		s.rows.Later(&r.begun, deferred.InPlace, begin)
	case r.rowWaits():
		s.rows.Later(&r.begun, s.spawn, begin)
	case joins:
		s.stacks.Do(stacks.Func(func() { r.begun.Done(begin()) }))
	default:
		r.begun.Now(s.spawn, begin)
	}
	var err error
	if r.kept != nil {
		err = r.replay(ctx)
	} else {
		err = s.deps.GPT.Generate(r.keeping.With(wire.WithDecoded(ctx, &r.decoded)), r.modelCall(), func(m *gptv1.GenerateResponse) error {
			return r.take(ctx, m.GetChunk())
		})
	}
	modelEnd := time.Now()
	err = r.end(ctx, err)
	r.release()
	s.metrics.finish.Observe(time.Since(modelEnd).Seconds())
	return err
}

// rowWaits says that the row may wait for the answer's end. A stream's first
// chunk comes before its last and waits for the row, so that writing it begins
// at once; so it does where the answer outlives its client.
func (r *run) rowWaits() bool {
	switch r.req.GetOnDisconnect() {
	case responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH:
		return false
	}
	return !r.req.GetTurn().GetStream()
}

// modelCall is what the gpt room is asked for.
func (r *run) modelCall() *gptv1.GenerateRequest {
	turn := r.req.GetTurn()
	if (r.rules != nil || r.guarding != nil) && turn.GetAcceptWire() != conversationv1.Wire_WIRE_UNSPECIFIED {
		turn = shallow(turn)
		turn.AcceptWire = conversationv1.Wire_WIRE_UNSPECIFIED
	}
	call := &r.parts.call
	call.Turn, call.RequestId, call.ResponseId, call.SessionId, call.UserId = turn, r.req.GetRequestId(), r.id, r.req.GetSessionId(), turn.GetUser()
	return call
}

// replay gives the kept answer in the place of a model.
func (r *run) replay(ctx context.Context) error {
	for _, entry := range r.kept.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := new(conversationv1.Chunk)
		if err := proto.Unmarshal(entry, chunk); err != nil {
			return fault.Internal(err)
		}
		if err := r.take(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}
