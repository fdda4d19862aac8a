package rpc

import (
	"fmt"
	"sort"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Method is one RPC with its policy.
type Method struct {
	// Full is "/package.Service/Method".
	Full string
	// Room is the room's name: "session" of "gptmesh.session.v1.SessionService".
	Room string
	// Name is "Service/Method", short for logs and metrics.
	Name string
	// Stream says that the answer is a stream.
	Stream bool
	// Policy is the row of the policy table. Never nil.
	Policy *meshv1.MethodPolicy
}

// Policies is the policy table: every method of the linked contracts, by full
// name. It is immutable.
type Policies struct {
	methods map[string]*Method
}

// LoadPolicies reads the table from the contracts linked into the program whose
// package begins with "gptmesh.". A method without a complete policy is an
// error.
func LoadPolicies() (*Policies, error) {
	p := &Policies{methods: make(map[string]*Method)}
	var bad []string
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "gptmesh.") {
			return true
		}
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method, err := newMethod(service, service.Methods().Get(j))
				if err != nil {
					bad = append(bad, err.Error())
					continue
				}
				p.methods[method.Full] = method
			}
		}
		return true
	})
	if len(bad) > 0 {
		sort.Strings(bad)
		return nil, fmt.Errorf("methods without a complete policy: %s", strings.Join(bad, "; "))
	}
	return p, nil
}

func newMethod(service protoreflect.ServiceDescriptor, d protoreflect.MethodDescriptor) (*Method, error) {
	policy, _ := proto.GetExtension(d.Options(), meshv1.E_Policy).(*meshv1.MethodPolicy)
	if policy.GetAuthScope() == 0 || policy.GetRateClass() == 0 || policy.GetCostClass() == 0 || policy.GetIdempotency() == 0 {
		return nil, fmt.Errorf("%s", d.FullName())
	}
	room, _, _ := strings.Cut(strings.TrimPrefix(string(service.ParentFile().Package()), "gptmesh."), ".")
	return &Method{
		Full:   fmt.Sprintf("/%s/%s", service.FullName(), d.Name()),
		Room:   room,
		Name:   fmt.Sprintf("%s/%s", service.Name(), d.Name()),
		Stream: d.IsStreamingServer(),
		Policy: policy,
	}, nil
}

// Method returns the row of a full method name.
func (p *Policies) Method(full string) (*Method, bool) {
	m, ok := p.methods[full]
	return m, ok
}

// infrastructure are services without rows: they are public and not counted.
var infrastructure = map[string]bool{
	"grpc.health.v1.Health":                    true,
	"grpc.reflection.v1.ServerReflection":      true,
	"grpc.reflection.v1alpha.ServerReflection": true,
}

// Cover says which registered methods have no row, or nil.
func (p *Policies) Cover(server *grpc.Server) error {
	var missing []string
	for service, info := range server.GetServiceInfo() {
		if infrastructure[service] {
			continue
		}
		for _, m := range info.Methods {
			if full := "/" + service + "/" + m.Name; p.methods[full] == nil {
				missing = append(missing, full)
			}
		}
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		return fmt.Errorf("methods without a policy: %s", strings.Join(missing, ", "))
	}
	return nil
}

// retriable lists the methods that may be sent again without a key.
func (p *Policies) retriable() []*Method {
	var out []*Method
	for _, m := range p.methods {
		switch m.Policy.GetIdempotency() {
		case meshv1.Idempotency_IDEMPOTENCY_SAFE, meshv1.Idempotency_IDEMPOTENCY_IDEMPOTENT:
			out = append(out, m)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Full < out[j].Full })
	return out
}
