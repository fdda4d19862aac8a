package request

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/deferred"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/pkg/stacks"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// admit checks a turn and makes its run, registered and, with an idempotency
// key, committed. Where the key belongs to an earlier request it returns that
// one instead.
func (s *Service) admit(ctx context.Context, req *requestv1.SubmitRequest, detached bool) (*run, *store.Record, error) {
	r, earlier, err := s.admitOnce(ctx, req, detached)
	// The one that took the key may be about to commit, or the holder may have
	// changed between a look and a try.
	for tries := 0; errors.Is(err, store.ErrKeyTaken) && tries < 12; tries++ {
		if err := s.pause(ctx, time.Millisecond<<tries); err != nil {
			return nil, nil, err
		}
		r, earlier, err = s.admitOnce(ctx, req, detached)
	}
	if errors.Is(err, store.ErrKeyTaken) {
		err = overloaded("the idempotency key is changing hands")
	}
	if err != nil {
		s.metrics.refused.WithLabelValues(fault.ReasonName(fault.From(err).Reason)).Inc()
	}
	return r, earlier, err
}

func (s *Service) admitOnce(ctx context.Context, req *requestv1.SubmitRequest, detached bool) (*run, *store.Record, error) {
	begin := s.deps.Clock()
	warnings, err := s.validate(req)
	if err != nil {
		return nil, nil, err
	}
	owner := callctx.Owner(ctx)
	var key *store.Key
	if req.GetIdempotencyKey() != "" {
		hash, err := hashOf(req)
		if err != nil {
			return nil, nil, fault.Internal(err)
		}
		key = &store.Key{Key: req.GetIdempotencyKey(), Hash: hash, Expires: begin.Add(s.cfg.KeyLifetime), Now: begin}
		earlier, err := s.holder(ctx, owner, key)
		if err != nil || earlier != nil {
			return nil, earlier, err
		}
	}
	turn, guard, err := s.guardNow(ctx, req.GetTurn(), owner)
	if err != nil {
		return nil, nil, err
	}
	joined, err := s.joinSession(ctx, turn, req.GetSessionId())
	if err != nil {
		return nil, nil, err
	}
	r := &run{s: s, id: ids.At("req", begin), owner: owner, submit: req, begin: begin, joined: joined}
	r.said = said{response: ids.At("resp", begin), session: req.GetSessionId(), warnings: warnings, guard: guard, detached: detached}
	if r.makeSession = r.said.session == newSession; r.makeSession {
		r.said.session = ids.At("ses", begin)
	}
	decision, err := s.decide(ctx, wish{
		turn: joined.turn, owner: owner, user: userOf(req), session: r.said.session, fresh: r.makeSession,
	}, &r.decided)
	if err != nil {
		return nil, nil, err
	}
	r.said.decision = decision
	if decision.GetModel() != joined.turn.GetModel() {
		r.joined.turn = shallow(r.joined.turn)
		r.joined.turn.Model = decision.GetModel()
	}
	if fallbacks := s.fallbacks(decision); len(fallbacks) > 0 {
		r.joined.turn = shallow(r.joined.turn)
		r.joined.turn.FallbackModels = fallbacks
	}
	r.request = r.describe(&r.row, &r.created)
	if err := s.register(r); err != nil {
		return nil, nil, err
	}
	r.observe()
	r.flag(ctx, owner)
	if key == nil {
		accept := func() error {
			r.flagging.look.Start()
			return r.accept(ctx, nil)
		}
		switch deferring, defers := s.store.(store.Deferring); {
		case s.rowWaits(r) && defers:
			s.rows.Later(&r.accepting, deferred.InPlace, func() error {
				r.flagging.look.Start()
				return r.acceptLater(ctx, deferring, r.admitted())
			})
		case s.rowWaits(r):
			s.rows.Later(&r.accepting, s.spawn, accept)
		case defers:
			r.acceptApart(ctx, deferring)
		default:
			r.accepting.Now(s.spawn, accept)
		}
		return r, nil, nil
	}
	if err := r.accept(ctx, key); err != nil {
		s.dismiss(r)
		if errors.Is(err, store.ErrKeyTaken) {
			return nil, nil, err
		}
		return nil, nil, storeFault(err, r.id)
	}
	r.accepting.Done(nil)
	return r, nil, nil
}

// accept commits the row, whether the client is there or not.
func (r *run) accept(ctx context.Context, key *store.Key) error {
	lasting, cancel := callctx.Lasting(ctx, r.s.cfg.StoreTimeout)
	defer cancel()
	row := r.admitted()
	record := r.s.beginning(lasting, row)
	err := r.s.store.Accept(outbox.With(lasting, record.Record()), row, r.s.instance, key)
	if err == nil {
		record.Release()
	}
	return err
}

// admitted is the row as it was admitted, for who writes it while the run changes its own.
func (r *run) admitted() *requestv1.Request {
	return r.describe(new(requestv1.Request), new(timestamppb.Timestamp))
}

// acceptApart is acceptLater on a lent stack: of a stream, which waits for long.
func (r *run) acceptApart(ctx context.Context, to store.Deferring) {
	r.s.stacks.Do(stacks.Func(func() { r.accepting.Done(r.acceptLater(ctx, to, r.request)) }))
}

// acceptLater writes the row, and leaves the waiting to the turn's group.
func (r *run) acceptLater(ctx context.Context, to store.Deferring, row *requestv1.Request) error {
	var lasting scope.Apart
	lasting.Start(ctx, r.s.cfg.StoreTimeout)
	defer lasting.Stop()
	record := r.s.beginning(&lasting, row)
	w, err := to.AcceptLater(outbox.With(&lasting, record.Record()), row, r.s.instance)
	if err == nil {
		record.Release()
		r.writes.Add(w)
	}
	return err
}

// said is what the row of a request says when it is admitted. It does not change.
type said struct {
	response, session string
	decision          *requestv1.Decision
	warnings          []string
	guard             *conversationv1.GuardReport
	detached          bool
}

// describe makes row the row of a request that was just admitted.
func (r *run) describe(row *requestv1.Request, created *timestamppb.Timestamp) *requestv1.Request {
	stamp(created, r.begin)
	row.Id, row.Owner, row.UserId, row.IdempotencyKey = r.id, r.owner, userOf(r.submit), r.submit.GetIdempotencyKey()
	row.Model, row.Metadata = r.submit.GetTurn().GetModel(), r.submit.GetMetadata()
	row.SessionId, row.ResponseId, row.Decision = r.said.session, r.said.response, r.said.decision
	row.Warnings, row.Guard, row.Detached = r.said.warnings, r.said.guard, r.said.detached
	row.State, row.CreateTime, row.UpdateTime = accepted, created, created
	return row
}

// stamp is timestamppb.New in memory that is there.
func stamp(at *timestamppb.Timestamp, t time.Time) *timestamppb.Timestamp {
	at.Seconds, at.Nanos = t.Unix(), int32(t.Nanosecond())
	return at
}

// rowWaits says that the row of a request may wait for its end. A stream's
// first chunk comes before its last and waits for the row, so that writing it
// begins at once; so it does where the answer outlives its client.
func (s *Service) rowWaits(r *run) bool { return !r.submit.GetTurn().GetStream() && !r.stays() }

func userOf(req *requestv1.SubmitRequest) string {
	switch {
	case req.GetUserId() != "":
		return req.GetUserId()
	case req.GetTurn().GetUser() != "":
		return req.GetTurn().GetUser()
	}
	return "default"
}

// hashOf is of everything that makes two requests the same.
func hashOf(req *requestv1.SubmitRequest) ([]byte, error) {
	same := shallow(req)
	same.IdempotencyKey, same.Timeout, same.OnDisconnect = "", nil, responsev1.DisconnectPolicy_DISCONNECT_POLICY_UNSPECIFIED
	same.AfterSequence = 0
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(same)
	sum := sha256.Sum256(data)
	return sum[:], err
}

// holder finds the request that holds a key. It returns the request to attach
// to; an error where the caller gets that; or neither, with key.Replaces set
// where the key may pass on.
func (s *Service) holder(ctx context.Context, owner string, key *store.Key) (*store.Record, error) {
	record, err := s.store.ByKey(ctx, owner, key.Key, key.Now)
	if errors.Is(err, store.ErrNotFound) {
		s.metrics.keys.WithLabelValues("first").Inc()
		return nil, nil
	}
	if err != nil {
		return nil, storeFault(err, "")
	}
	held := record.Request
	if subtle.ConstantTimeCompare(record.Hash, key.Hash) != 1 {
		s.metrics.keys.WithLabelValues("conflict").Inc()
		return nil, keyConflict(held.GetId())
	}
	state, failure := held.GetState(), held.GetFailure()
	fate := fateOf(failure)
	switch {
	case record.Answered || failure == nil || !final(state), state == interrupted && !s.cfg.RepeatUnknown:
		s.metrics.keys.WithLabelValues("attached").Inc()
		return &record, nil
	case fate == served:
		s.metrics.keys.WithLabelValues("failure").Inc()
		return nil, wire.Fault(failure)
	case fate == unknown && !s.cfg.RepeatUnknown:
		s.metrics.keys.WithLabelValues("unknown").Inc()
		return nil, outcomeUnknown(held)
	}
	s.metrics.keys.WithLabelValues("again").Inc()
	key.Replaces = held.GetId()
	return nil, nil
}

// timeout is how long a request may take.
func (s *Service) timeout(req *requestv1.SubmitRequest) time.Duration {
	if t := req.GetTimeout(); t != nil {
		return t.AsDuration()
	}
	return s.cfg.Timeout
}
