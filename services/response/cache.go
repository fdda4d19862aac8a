package response

import (
	"crypto/sha256"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/maypok86/otter/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

type cacheKey [sha256.Size]byte

// keptAnswer is a completed answer. It is read-only.
type keptAnswer struct {
	entries  [][]byte // its log
	response *responsev1.Response
	at       time.Time
	ttl      time.Duration
	size     int
}

// cache keeps completed answers. A nil cache keeps none.
type cache struct {
	answers *otter.Cache[cacheKey, *keptAnswer]
	clock   func() time.Time
}

func newCache(maxBytes int64, clock func() time.Time) (*cache, error) {
	if maxBytes == 0 {
		return nil, nil
	}
	answers, err := otter.New(&otter.Options[cacheKey, *keptAnswer]{
		MaximumWeight: uint64(maxBytes),
		Weigher:       func(_ cacheKey, a *keptAnswer) uint32 { return uint32(min(a.size, 1<<31)) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[cacheKey, *keptAnswer]) time.Duration {
			return e.Value.ttl
		}),
		Executor: func(fn func()) { fn() }, // on the caller: no goroutine to wait for
	})
	if err != nil {
		return nil, err
	}
	return &cache{answers: answers, clock: clock}, nil
}

func (c *cache) close() {
	if c != nil {
		c.answers.StopAllGoroutines()
	}
}

// get returns an answer not older than ttl, or nil.
func (c *cache) get(key cacheKey, ttl time.Duration) *keptAnswer {
	if c == nil {
		return nil
	}
	a, ok := c.answers.GetIfPresent(key)
	if !ok {
		return nil
	}
	if age := c.clock().Sub(a.at); age > ttl || age > a.ttl {
		return nil
	}
	return a
}

func (c *cache) put(key cacheKey, a *keptAnswer) {
	if c == nil {
		return
	}
	for _, entry := range a.entries {
		a.size += len(entry) + 24
	}
	a.size += a.response.PackedSize()
	c.answers.Set(key, a)
}

// cacheKeyOf hashes what an answer depends on. Ids and times that the session
// gave to messages do not count.
func cacheKeyOf(owner string, req *responsev1.GenerateRequest) (cacheKey, error) {
	turn := shallow(req.GetTurn())
	turn.Messages = make([]*conversationv1.Message, len(req.GetTurn().GetMessages()))
	for i, m := range req.GetTurn().GetMessages() {
		m = shallow(m)
		m.Id, m.CreateTime, m.Version = "", nil, 0
		turn.Messages[i] = m
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&responsev1.GenerateRequest{
		ResponseId: owner, Turn: turn, PostProcessing: req.GetPostProcessing(),
	})
	return sha256.Sum256(data), err
}

// shallow copies a message; what hangs below is shared and stays read-only.
func shallow[T interface {
	comparable
	proto.Message
}](m T) T {
	out := m.ProtoReflect().New()
	m.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		out.Set(field, value)
		return true
	})
	return out.Interface().(T)
}
