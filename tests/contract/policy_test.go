package contract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Every method says who may call it, what it counts against, what it costs and
// whether it may be sent twice.
func TestEveryMethodHasAPolicy(t *testing.T) {
	t.Parallel()
	methods := 0
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "gptmesh.") {
			return true
		}
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				methods++
				policy, _ := proto.GetExtension(method.Options(), meshv1.E_Policy).(*meshv1.MethodPolicy)
				if policy.GetAuthScope() == 0 || policy.GetRateClass() == 0 || policy.GetCostClass() == 0 || policy.GetIdempotency() == 0 {
					t.Errorf("%s: the policy is not whole: %v", method.FullName(), policy)
				}
				name := string(method.Name())
				reads := strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Watch")
				if reads && (policy.GetIdempotency() != meshv1.Idempotency_IDEMPOTENCY_SAFE || policy.GetCostClass() != meshv1.CostClass_COST_CLASS_FREE) {
					t.Errorf("%s reads, but its policy is %v", method.FullName(), policy)
				}
				if policy.GetCostClass() == meshv1.CostClass_COST_CLASS_MODEL && policy.GetRateClass() != meshv1.RateClass_RATE_CLASS_GPT {
					t.Errorf("%s costs a model call, but is counted as %v", method.FullName(), policy.GetRateClass())
				}
			}
		}
		return true
	})
	if methods < 30 {
		t.Errorf("only %d methods are linked in", methods)
	}
}

// codeNames are the canonical codes as comments spell them.
var codeNames = regexp.MustCompile(`\b(INVALID_ARGUMENT|RESOURCE_EXHAUSTED|UNIMPLEMENTED|UNAUTHENTICATED|PERMISSION_DENIED|UNAVAILABLE|FAILED_PRECONDITION|NOT_FOUND|ABORTED|ALREADY_EXISTS|CANCELLED|OUT_OF_RANGE|DEADLINE_EXCEEDED|INTERNAL)\b`)

// Every reason is documented with its code and an example that is a real
// ErrorInfo of that reason.
func TestEveryReasonHasAnExample(t *testing.T) {
	t.Parallel()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "proto", "gptmesh", "mesh", "v1", "error_reason.proto"))
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	comment := ""
	value := regexp.MustCompile(`^(ERROR_REASON_\w+) = \d+;`)
	for line := range strings.Lines(string(source)) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "//"); ok {
			comment += strings.TrimSpace(text) + "\n"
			continue
		}
		if found := value.FindStringSubmatch(line); found != nil {
			comments[found[1]] = comment
		}
		comment = ""
	}
	values := meshv1.ErrorReason(0).Descriptor().Values()
	for i := range values.Len() {
		name := string(values.Get(i).Name())
		if values.Get(i).Number() == 0 {
			continue
		}
		text := comments[name]
		if !codeNames.MatchString(strings.TrimPrefix(text, name)) {
			t.Errorf("%s: the comment names no canonical code:\n%s", name, text)
		}
		var example struct {
			Reason   string            `json:"reason"`
			Metadata map[string]string `json:"metadata"`
		}
		at := strings.Index(text, `{"reason"`)
		if at < 0 {
			t.Errorf("%s: the comment has no example:\n%s", name, text)
			continue
		}
		if err := json.Unmarshal([]byte(text[at:]), &example); err != nil || "ERROR_REASON_"+example.Reason != name {
			t.Errorf("%s: the example is of %q, %v:\n%s", name, example.Reason, err, text)
		}
	}
}
