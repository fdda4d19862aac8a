package answer

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Headers of a request, in canonical form.
const (
	headerSession      = "X-Gptmesh-Session"
	headerUser         = "X-Gptmesh-User"
	headerIdempotency  = "Idempotency-Key"
	headerOnDisconnect = "X-Gptmesh-On-Disconnect"
	headerCache        = "X-Gptmesh-Cache"
	headerPost         = "X-Gptmesh-Post"
	headerOnFailure    = "X-Gptmesh-On-Failure"
)

// Headers of an answer, in canonical form; headerSession too.
const (
	headerRequest  = "X-Gptmesh-Request"
	headerResponse = "X-Gptmesh-Response"
	headerModel    = "X-Gptmesh-Model"
	headerProvider = "X-Gptmesh-Provider"
	headerTarget   = "X-Gptmesh-Target"
	headerAttempts = "X-Gptmesh-Attempts"
	headerDropped  = "X-Gptmesh-Dropped"
	headerCached   = "X-Gptmesh-Cached"
	headerGuard    = "X-Gptmesh-Guard"
)

// Bounds of header values; those of the contract.
const (
	maxUser        = 128
	maxIdempotency = 255
	maxCache       = 604800
	maxSession     = 64
)

var trueValue = []string{"true"}

// ReadHeaders fills in what a client's headers ask for. The error is a fault
// that names the header.
func ReadHeaders(h http.Header, request *requestv1.SubmitRequest) error {
	if v := value(h, headerSession); v != "" {
		if !ValidSession(v) {
			return fault.InvalidField(headerSession, `it must be "new" or a session's id: 1 to 64 of letters, digits, "-", "_", "."`)
		}
		request.SessionId = v
	}
	if v := value(h, headerUser); v != "" {
		if len(v) > maxUser || !printable(v) {
			return fault.InvalidField(headerUser, "it must have at most 128 printable characters")
		}
		request.UserId = v
	}
	if v := value(h, headerIdempotency); v != "" {
		if len(v) > maxIdempotency || !printable(v) {
			return fault.InvalidField(headerIdempotency, "it must have at most 255 printable characters")
		}
		request.IdempotencyKey = v
	}
	if v := value(h, headerOnDisconnect); v != "" {
		policy, err := disconnectPolicy(v)
		if err != nil {
			return err
		}
		request.OnDisconnect = policy
	}
	if v := value(h, headerCache); v != "" {
		seconds, err := strconv.ParseUint(v, 10, 32)
		if err != nil || seconds > maxCache {
			return fault.InvalidField(headerCache, "it must be a number of seconds, 0 to 604800")
		}
		if seconds > 0 {
			request.Cache = &responsev1.CachePolicy{Ttl: durationpb.New(time.Duration(seconds) * time.Second)}
		}
	}
	if turn := request.GetTurn(); turn != nil {
		if err := ReadOnFailure(h, turn); err != nil {
			return err
		}
	}
	if v := value(h, headerPost); v != "" {
		post, err := postProcessing(v)
		if err != nil {
			return err
		}
		request.PostProcessing = post
	}
	return nil
}

// ReadOnFailure is ReadHeaders for what the turn itself carries, where that is not
// there yet.
func ReadOnFailure(h http.Header, turn *conversationv1.Turn) error {
	switch value(h, headerOnFailure) {
	case "":
	case "stop":
		turn.OnFailure = conversationv1.OnFailure_ON_FAILURE_STOP
	case "continue":
		turn.OnFailure = conversationv1.OnFailure_ON_FAILURE_CONTINUE
	default:
		return fault.InvalidField(headerOnFailure, "it must be stop or continue")
	}
	return nil
}

func disconnectPolicy(v string) (responsev1.DisconnectPolicy, error) {
	switch v {
	case "cancel":
		return responsev1.DisconnectPolicy_DISCONNECT_POLICY_CANCEL, nil
	case "drain":
		return responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN, nil
	case "detach":
		return responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH, nil
	}
	return 0, fault.InvalidField(headerOnDisconnect, "it must be cancel, drain or detach")
}

// postProcessing reads "reasoning=strip,format=json".
func postProcessing(v string) (*responsev1.PostProcessing, error) {
	post := &responsev1.PostProcessing{}
	seen := map[string]bool{}
	for item := range strings.SplitSeq(v, ",") {
		name, wanted, found := strings.Cut(strings.TrimSpace(item), "=")
		if !found || seen[name] {
			return nil, fault.InvalidField(headerPost, "it must be a list of name=value, each name once")
		}
		seen[name] = true
		switch name + "=" + wanted {
		case "reasoning=keep":
			post.Reasoning = responsev1.PostProcessing_REASONING_KEEP
		case "reasoning=strip":
			post.Reasoning = responsev1.PostProcessing_REASONING_STRIP
		case "format=plain":
			post.Format = responsev1.PostProcessing_FORMAT_PLAIN
		case "format=markdown":
			post.Format = responsev1.PostProcessing_FORMAT_MARKDOWN
		case "format=json":
			post.Format = responsev1.PostProcessing_FORMAT_JSON
		default:
			return nil, fault.InvalidField(headerPost, "known are reasoning=keep|strip and format=plain|markdown|json")
		}
	}
	return post, nil
}

// ValidSession says whether s is "new" or fit for a session's id.
func ValidSession(s string) bool {
	if s == "" || len(s) > maxSession {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

func value(h http.Header, key string) string {
	if values := h[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// answerHeaders writes the headers of one answer. Their values lie in one
// piece.
type answerHeaders struct {
	values [6]string
	used   int
}

// request names what the request room made.
func (a *answerHeaders) request(h http.Header, request *requestv1.Request) {
	a.set(h, headerRequest, request.GetId())
	a.set(h, headerSession, request.GetSessionId())
	a.set(h, headerResponse, request.GetResponseId())
	if report := request.GetGuard(); len(report.GetFindings()) > 0 {
		h[headerGuard] = []string{guardValue(report)}
	}
}

// guardValue is like "flagged; injection; jailbreak".
func guardValue(report *conversationv1.GuardReport) string {
	value := strings.ToLower(strings.TrimPrefix(report.GetAction().String(), "GUARD_ACTION_"))
	var risks []string
	for _, f := range report.GetFindings() {
		if !slices.Contains(risks, f.GetRisk()) {
			risks = append(risks, f.GetRisk())
		}
	}
	slices.Sort(risks)
	return value + "; " + strings.Join(risks, "; ")
}

// started names who answers.
func (a *answerHeaders) started(h http.Header, started *conversationv1.Started) {
	a.set(h, headerSession, started.GetSessionId())
	a.set(h, headerResponse, started.GetResponseId())
	a.set(h, headerModel, started.GetModel())
	a.set(h, headerProvider, started.GetProvider())
	// The rest says more only where it is not plain: a target beyond provider and
	// model, or a second attempt.
	if target := started.GetTarget(); len(target) > len(started.GetProvider())+1+len(started.GetModel()) || started.GetAttemptNumber() > 1 {
		a.set(h, headerTarget, target)
	}
	if n := started.GetAttemptNumber(); n > 1 {
		a.set(h, headerAttempts, strconv.Itoa(int(n)))
	}
	if dropped := started.GetDroppedFields(); len(dropped) > 0 {
		a.set(h, headerDropped, strings.Join(dropped, ", "))
	}
	if started.GetCached() {
		h[headerCached] = trueValue
	}
}

// set writes a header, where there is something to write. Characters that no
// header may hold are left out: names of models are the providers' own.
func (a *answerHeaders) set(h http.Header, key, v string) {
	if v == "" {
		return
	}
	if old := h[key]; len(old) == 1 && old[0] == v {
		return
	}
	if !printable(v) {
		v = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, v)
	}
	if a.used == len(a.values) { // a room changed its mind
		h[key] = []string{v}
		return
	}
	at := a.used
	a.values[at], a.used = v, at+1
	h[key] = a.values[at : at+1 : at+1]
}
