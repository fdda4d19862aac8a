package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// rule is one binding of a method to a path, as its contract says.
type rule struct {
	method   string   // HTTP
	segments []string // "*" stands for one, "**" at the end for one or more
	verb     string   // behind a colon
	class    meshv1.RateClass
	body     bool // fields come in the body, not in the query
	input    protoreflect.MessageDescriptor
}

// rules are the bindings of all methods.
type rules []rule

// loadRules reads the bindings from the contracts.
func loadRules() (rules, error) {
	var all rules
	for _, file := range []protoreflect.FileDescriptor{
		sessionv1.File_gptmesh_session_v1_session_service_proto, requestv1.File_gptmesh_request_v1_request_service_proto,
		responsev1.File_gptmesh_response_v1_response_service_proto, gptv1.File_gptmesh_gpt_v1_gpt_service_proto,
		classifierv1.File_gptmesh_classifier_v1_classifier_service_proto, classifierv1.File_gptmesh_classifier_v1_learning_service_proto,
		requestv1.File_gptmesh_request_v1_routing_service_proto, gptv1.File_gptmesh_gpt_v1_usage_service_proto,
		eventv1.File_gptmesh_event_v1_event_service_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				options := methods.Get(j).Options()
				binding, _ := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)
				policy, _ := proto.GetExtension(options, meshv1.E_Policy).(*meshv1.MethodPolicy)
				if binding == nil {
					continue
				}
				r, err := newRule(binding)
				if err != nil || policy.GetRateClass() == 0 {
					return nil, fmt.Errorf("rest: the binding of %s cannot be read: %w", methods.Get(j).FullName(), err)
				}
				r.class, r.body, r.input = policy.GetRateClass(), binding.GetBody() != "", methods.Get(j).Input()
				all = append(all, r)
			}
		}
	}
	return all, nil
}

func newRule(binding *annotations.HttpRule) (rule, error) {
	var r rule
	var path string
	switch pattern := binding.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		r.method, path = http.MethodGet, pattern.Get
	case *annotations.HttpRule_Post:
		r.method, path = http.MethodPost, pattern.Post
	case *annotations.HttpRule_Put:
		r.method, path = http.MethodPut, pattern.Put
	case *annotations.HttpRule_Patch:
		r.method, path = http.MethodPatch, pattern.Patch
	case *annotations.HttpRule_Delete:
		r.method, path = http.MethodDelete, pattern.Delete
	default:
		return r, fmt.Errorf("a pattern of another kind")
	}
	if at := strings.LastIndexByte(path, ':'); at > strings.LastIndexAny(path, "/}") {
		path, r.verb = path[:at], path[at+1:]
	} else if at > 0 && path[at-1] == '}' {
		path, r.verb = path[:at], path[at+1:]
	}
	for segment := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if strings.HasPrefix(segment, "{") {
			if strings.HasSuffix(segment, "=**}") {
				segment = "**"
			} else {
				segment = "*"
			}
		}
		r.segments = append(r.segments, segment)
	}
	return r, nil
}

func (r *rule) match(path string) bool {
	if r.verb != "" {
		var ok bool
		if path, ok = strings.CutSuffix(path, ":"+r.verb); !ok {
			return false
		}
	}
	rest := strings.TrimPrefix(path, "/")
	for i, wanted := range r.segments {
		segment, behind, more := strings.Cut(rest, "/")
		switch {
		case wanted == "**":
			return rest != ""
		case wanted == "*" && segment == "", wanted != "*" && wanted != segment, more != (i+1 < len(r.segments)):
			return false
		}
		rest = behind
	}
	return true
}

// of calls fn with the bindings of a path. Those with a verb win over those
// whose last part would take the verb in.
func (all rules) of(path string, fn func(*rule)) {
	verb := false
	for i := range all {
		if all[i].verb != "" && all[i].match(path) {
			verb = true
			fn(&all[i])
		}
	}
	for i := range all {
		if !verb && all[i].verb == "" && all[i].match(path) {
			fn(&all[i])
		}
	}
}

// class is the limit that a call counts against.
func (all rules) class(method, path string) meshv1.RateClass {
	class := meshv1.RateClass_RATE_CLASS_API
	all.of(path, func(r *rule) {
		if r.method == method {
			class = r.class
		}
	})
	return class
}

// checkQuery refuses what no message can carry, and parameters that no field of
// the method's message has; the translation would pass over them.
func (all rules) checkQuery(method, path, query string) error {
	if query == "" {
		return nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return fault.InvalidField("query", "it is not well-formed")
	}
	for key, given := range values {
		if !utf8.ValidString(key) || !utf8.ValidString(strings.Join(given, "")) {
			return fault.InvalidField(strings.ToValidUTF8(key, "\uFFFD"), "must be UTF-8")
		}
	}
	all.of(path, func(r *rule) {
		if r.method != method || r.body || err != nil {
			return
		}
		for key := range values {
			name, _, _ := strings.Cut(key, ".")
			if r.input.Fields().ByName(protoreflect.Name(name)) == nil && r.input.Fields().ByJSONName(name) == nil {
				err = fault.InvalidField(key, "there is no such field")
			}
		}
	})
	return err
}

// allow is the value of a path's Allow header.
func (all rules) allow(path string) string {
	names := []string{http.MethodOptions}
	all.of(path, func(r *rule) { names = append(names, r.method) })
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
