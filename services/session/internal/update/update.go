// Package update applies an UpdateSession request to a session.
package update

import (
	"maps"
	"strings"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Defaults are the values of fields that a mask names and the request leaves
// out.
type Defaults struct {
	IdleTimeout *durationpb.Duration
	ExpireTime  *timestamppb.Timestamp
}

const preferenceKey = "preferences."

// Paths returns the fields to change: those of the mask or, without one, those
// that are set. An unknown path is a fault that names update_mask.
func Paths(req *sessionv1.UpdateSessionRequest) ([]string, error) {
	paths := req.GetUpdateMask().GetPaths()
	for _, path := range paths {
		switch path {
		case "title", "preferences", "metadata", "idle_timeout", "expire_time":
		default:
			if key, found := strings.CutPrefix(path, preferenceKey); !found || key == "" {
				return nil, fault.InvalidField("update_mask",
					"unknown path \""+path+"\": want title, preferences, preferences.KEY, metadata, idle_timeout or expire_time")
			}
		}
	}
	if len(paths) > 0 {
		return paths, nil
	}
	set := req.GetSession()
	if set.GetTitle() != "" {
		paths = append(paths, "title")
	}
	if set.GetPreferences() != nil {
		paths = append(paths, "preferences")
	}
	if len(set.GetMetadata()) > 0 {
		paths = append(paths, "metadata")
	}
	if set.GetIdleTimeout() != nil {
		paths = append(paths, "idle_timeout")
	}
	if set.GetExpireTime() != nil {
		paths = append(paths, "expire_time")
	}
	return paths, nil
}

// Apply returns current with the fields of paths, as Paths gave them, taken
// from values, and whether that made a difference. Neither argument is changed.
//
// Preferences merge by top-level key, null removing the key; "preferences"
// without a value changes nothing, "preferences.KEY" without one removes KEY.
// Other fields without a value are emptied or take their default.
func Apply(current, values *sessionv1.Session, paths []string, defaults Defaults) (*sessionv1.Session, bool) {
	next := proto.CloneOf(current)
	for _, path := range paths {
		switch path {
		case "title":
			next.Title = values.GetTitle()
		case "preferences":
			for key, value := range values.GetPreferences().GetFields() {
				setPreference(next, key, value)
			}
		case "metadata":
			next.Metadata = maps.Clone(values.GetMetadata())
		case "idle_timeout":
			next.IdleTimeout = values.GetIdleTimeout()
			if next.IdleTimeout == nil {
				next.IdleTimeout = defaults.IdleTimeout
			}
		case "expire_time":
			next.ExpireTime = values.GetExpireTime()
			if next.ExpireTime == nil {
				next.ExpireTime = defaults.ExpireTime
			}
		default:
			key := strings.TrimPrefix(path, preferenceKey)
			setPreference(next, key, values.GetPreferences().GetFields()[key])
		}
	}
	if len(next.GetPreferences().GetFields()) == 0 {
		next.Preferences = nil
	}
	changed := next.GetTitle() != current.GetTitle() ||
		!maps.Equal(next.GetMetadata(), current.GetMetadata()) ||
		!proto.Equal(next.GetPreferences(), current.GetPreferences()) ||
		next.GetIdleTimeout().AsDuration() != current.GetIdleTimeout().AsDuration() ||
		!next.GetExpireTime().AsTime().Equal(current.GetExpireTime().AsTime())
	return next, changed
}

// setPreference sets one key; nil and null remove it.
func setPreference(session *sessionv1.Session, key string, value *structpb.Value) {
	_, null := value.GetKind().(*structpb.Value_NullValue)
	if value.GetKind() == nil || null {
		delete(session.GetPreferences().GetFields(), key)
		return
	}
	if session.Preferences.GetFields() == nil {
		session.Preferences = &structpb.Struct{Fields: map[string]*structpb.Value{}}
	}
	session.Preferences.Fields[key] = value
}
