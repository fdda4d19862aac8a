package request

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// router is what choosing a model stands on. It does nothing until a turn asks
// for a policy.
type router struct {
	policies   map[string]*policy
	configured []*requestv1.Experiment
	quality    []route.Quality
	observed   *route.Observed
	active     atomic.Bool // some turn has asked for a policy
	warm       atomic.Bool // the classifier has been asked
	classifies chan struct{}

	catalogue   atomic.Pointer[listing]
	listing     chan struct{} // held by whoever asks for the models
	experiments atomic.Pointer[trials]
	trying      chan struct{} // held by whoever reads the experiments

	drawing sync.Mutex
	draws   *rand.Rand

	conversations recent
}

// listing is the models of one moment; nil models could not be learned.
type listing struct {
	*route.Catalogue
	at time.Time
}

// staleFor is how many lifetimes old a catalogue may be and still be used while
// it is renewed.
const staleFor = 12

// maxClassifying bounds the calls of the classifier under way.
const maxClassifying = 256

func newRouter(cfg Config, seed uint64) (*router, error) {
	policies, err := cfg.policies()
	if err != nil {
		return nil, err
	}
	if seed == 0 {
		seed = rand.Uint64()
	}
	return &router{
		policies: policies, configured: cfg.experiments(policies), quality: cfg.Quality, observed: route.NewObserved(),
		classifies: make(chan struct{}, maxClassifying), listing: make(chan struct{}, 1), trying: make(chan struct{}, 1),
		draws: rand.New(rand.NewPCG(seed, seed)),
	}, nil
}

// known is the catalogue as last read, or nil.
func (r *router) known() *route.Catalogue {
	if l := r.catalogue.Load(); l != nil {
		return l.Catalogue
	}
	return nil
}

// expire lets the next choice ask for the models again.
func (r *router) expire() {
	if l := r.catalogue.Load(); l != nil && l.Catalogue != nil {
		r.catalogue.CompareAndSwap(l, &listing{Catalogue: l.Catalogue})
	}
}

// models is the catalogue: the known one, renewed beside the turn where it is
// old; the first time it is waited for. Nil where it cannot be learned.
func (s *Service) models(ctx context.Context) *route.Catalogue {
	if s.deps.GPT == nil {
		return nil
	}
	r := s.router
	fresh := func() (*listing, bool) {
		l := r.catalogue.Load()
		return l, l != nil && s.deps.Clock().Sub(l.at) < s.cfg.CatalogueTTL
	}
	l, ok := fresh()
	if ok {
		return l.Catalogue
	}
	// One of long ago, or without a model to choose, is no answer: wait.
	usable := l != nil && l.Catalogue.Real() && (l.at.IsZero() || s.deps.Clock().Sub(l.at) < staleFor*s.cfg.CatalogueTTL)
	if usable {
		select {
		case r.listing <- struct{}{}:
			lasting, cancel := callctx.Lasting(ctx, s.cfg.CatalogueTimeout)
			s.work.Go(func() {
				defer cancel()
				defer func() { <-r.listing }()
				s.learnModels(lasting)
			})
		default:
		}
		return l.Catalogue
	}
	bounded, cancel := context.WithTimeout(ctx, s.cfg.CatalogueTimeout)
	defer cancel()
	select {
	case r.listing <- struct{}{}:
		defer func() { <-r.listing }()
	case <-bounded.Done():
		return r.known()
	}
	if l, ok := fresh(); ok {
		return l.Catalogue
	}
	s.learnModels(bounded)
	return r.known()
}

// learnModels asks the gpt room for models and providers.
func (s *Service) learnModels(ctx context.Context) {
	begin := s.deps.Clock()
	var models []*gptv1.Model
	request := &gptv1.ListModelsRequest{}
	for {
		resp, err := s.deps.GPT.ListModels(ctx, request)
		if err != nil {
			s.keepModels(s.router.known(), begin, err)
			return
		}
		models = append(models, resp.GetModels()...)
		if resp.GetNextPageToken() == "" {
			break
		}
		request = &gptv1.ListModelsRequest{PageToken: resp.GetNextPageToken()}
	}
	providers, err := s.deps.GPT.ListProviders(ctx, &gptv1.ListProvidersRequest{})
	if err != nil {
		s.keepModels(s.router.known(), begin, err)
		return
	}
	s.keepModels(route.NewCatalogue(models, providers.GetProviders(), s.router.quality, begin), begin, nil)
}

func (s *Service) keepModels(c *route.Catalogue, at time.Time, err error) {
	if err != nil {
		s.deps.Logger.Warn("the models cannot be learned for routing", "error", err)
	}
	s.router.catalogue.Store(&listing{Catalogue: c, at: at})
}

// choose is route.Choose with this process's observations and draws.
func (s *Service) choose(p *policy, c *route.Catalogue, f route.Features, previous string, unclassified bool) route.Answer {
	r := s.router
	list := route.Filter(&p.Policy, c, &f)
	r.drawing.Lock()
	defer r.drawing.Unlock()
	return route.Choose(&route.Question{
		Policy: &p.Policy, Catalogue: c, Features: f, Observed: r.observed, Previous: previous,
		Unclassified: unclassified, Now: s.deps.Clock(), Rand: r.draws,
	}, list)
}

// recent remembers the models of conversations that no session holds, some ten
// thousand of the latest. The zero value is empty.
type recent struct {
	mu         sync.Mutex
	young, old map[conversationKey]string
}

const maxRecent = 8192

type conversationKey [16]byte

// conversationOf tells conversations apart by their owner and how they begin;
// false where there is nothing yet.
func conversationOf(owner, policy string, messages []*conversationv1.Message) (key conversationKey, ok bool) {
	h := sha256.New()
	h.Write([]byte(owner + "\x00" + policy))
	for _, m := range messages {
		if m.GetRole() == conversationv1.Role_ROLE_ASSISTANT {
			break
		}
		h.Write([]byte("\x00" + fingerprint(m)))
		if ok = m.GetRole() == conversationv1.Role_ROLE_USER; ok {
			break
		}
	}
	copy(key[:], h.Sum(nil))
	return key, ok
}

func (r *recent) get(key conversationKey) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if model, ok := r.young[key]; ok {
		return model
	}
	return r.old[key]
}

func (r *recent) put(key conversationKey, model string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= maxRecent || r.young == nil {
		r.young, r.old = make(map[conversationKey]string), r.young
	}
	r.young[key] = model
}
