package classifier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// place is where a page of versions ended.
type place struct {
	Head   string `json:"h"`
	Number int64  `json:"n"`
}

// ListModelVersions lists versions; see the contract.
func (l *Learning) ListModelVersions(ctx context.Context, req *classifierv1.ListModelVersionsRequest) (*classifierv1.ListModelVersionsResponse, error) {
	if err := fault.CheckTexts("head", req.GetHead()); err != nil {
		return nil, err
	}
	filter := "versions " + req.GetHead()
	cursor, err := page.Cursor(filter, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	after := place{}
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &after); err != nil {
			return nil, page.Invalid()
		}
	}
	size := page.Size(req.GetPageSize(), standardPage, largestPage)
	list, err := l.store.Versions(ctx, store.VersionQuery{Head: req.GetHead(), AfterHead: after.Head, AfterNumber: after.Number, Limit: size + 1})
	if err != nil {
		return nil, storeFault(err, nil)
	}
	builtIn, err := l.builtInVersions(ctx)
	if err != nil {
		return nil, err
	}
	// The built-in version of a head has the number 0 and comes last.
	for _, v := range builtIn {
		if (req.GetHead() == "" || req.GetHead() == v.GetHead()) && (after.Head == "" || comes(v, after)) {
			list = append(list, v)
		}
	}
	slices.SortStableFunc(list, func(a, b *classifierv1.ModelVersion) int {
		if c := strings.Compare(a.GetHead(), b.GetHead()); c != 0 {
			return c
		}
		return int(b.GetNumber() - a.GetNumber())
	})
	resp := &classifierv1.ListModelVersionsResponse{Versions: list}
	if len(list) > size {
		resp.Versions = list[:size]
		last := list[size-1]
		token, err := json.Marshal(place{last.GetHead(), last.GetNumber()})
		if err != nil {
			return nil, fault.Internal(err)
		}
		resp.NextPageToken = page.Token(filter, string(token))
	}
	return resp, nil
}

// comes says that a version comes after a place in the list.
func comes(v *classifierv1.ModelVersion, after place) bool {
	return v.GetHead() > after.Head || v.GetHead() == after.Head && v.GetNumber() < after.Number
}

// builtInVersions are the program's own models, as versions.
func (l *Learning) builtInVersions(ctx context.Context) ([]*classifierv1.ModelVersion, error) {
	set, err := l.heads.builtIn()
	if err != nil {
		return nil, fault.Internal(err)
	}
	_, lineup, err := l.store.Lineup(ctx)
	if err != nil {
		return nil, storeFault(err, nil)
	}
	active := map[string]bool{}
	for _, v := range lineup {
		if v.GetState() == classifierv1.ModelVersion_STATE_ACTIVE {
			active[v.GetHead()] = true
		}
	}
	var list []*classifierv1.ModelVersion
	for _, m := range set.Models() {
		meta, sum := m.Metadata(), sha256.Sum256(m.Bytes())
		v := &classifierv1.ModelVersion{
			Id: builtInPrefix + meta.Head, Head: meta.Head, State: classifierv1.ModelVersion_STATE_ACTIVE, Origin: classifierv1.ModelVersion_ORIGIN_BUILT_IN,
			Labels: meta.Labels, TrainingRows: int64(meta.Training.Rows), SourceDigest: meta.Training.Digest,
			SizeBytes: int64(len(m.Bytes())), FileDigest: hex.EncodeToString(sum[:]), Note: meta.Training.Source,
		}
		if active[meta.Head] {
			v.State = classifierv1.ModelVersion_STATE_RETIRED
		}
		list = append(list, v)
	}
	return list, nil
}

// version finds a version, the built-in ones included.
func (l *Learning) version(ctx context.Context, id string) (*classifierv1.ModelVersion, error) {
	if strings.HasPrefix(id, builtInPrefix) {
		list, err := l.builtInVersions(ctx)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			if v.GetId() == id {
				return v, nil
			}
		}
		return nil, noVersion(id)
	}
	v, err := l.store.Version(ctx, id)
	return v, storeFault(err, noVersion(id))
}

// GetModelVersion returns a version; see the contract.
func (l *Learning) GetModelVersion(ctx context.Context, req *classifierv1.GetModelVersionRequest) (*classifierv1.GetModelVersionResponse, error) {
	v, err := l.version(ctx, req.GetVersionId())
	if err != nil {
		return nil, err
	}
	resp := &classifierv1.GetModelVersionResponse{Version: v}
	switch {
	case !req.GetWithFile():
	case v.GetOrigin() == classifierv1.ModelVersion_ORIGIN_BUILT_IN:
		set, err := l.heads.builtIn()
		if err != nil {
			return nil, fault.Internal(err)
		}
		resp.File = set.Model(v.GetHead()).Bytes()
	default:
		if resp.File, err = l.store.File(ctx, v.GetId()); err != nil {
			return nil, storeFault(err, noVersion(v.GetId()))
		}
	}
	return resp, nil
}

// ImportModelVersion keeps a file as a candidate; see the contract.
func (l *Learning) ImportModelVersion(ctx context.Context, req *classifierv1.ImportModelVersionRequest) (*classifierv1.ImportModelVersionResponse, error) {
	model, err := learn.Load(req.GetFile())
	if err != nil {
		return nil, fault.InvalidField("file", "is no model of the classifier: "+err.Error())
	}
	if head := model.Metadata().Head; len(head) > 64 || strings.IndexByte(head, 0) >= 0 {
		return nil, fault.InvalidField("file", "its head has a name of more than 64 bytes, or one with U+0000")
	}
	v := versionOf(model, classifierv1.ModelVersion_ORIGIN_IMPORTED, l.now())
	v.Note = req.GetNote()
	stored, err := l.store.AddVersion(ctx, v, model.Bytes(), l.mostHeads(v.GetHead()))
	if err != nil {
		return nil, l.storeFault(err)
	}
	return &classifierv1.ImportModelVersionResponse{Version: stored}, nil
}

// ActivateModelVersion puts a version in its place; see the contract.
func (l *Learning) ActivateModelVersion(ctx context.Context, req *classifierv1.ActivateModelVersionRequest) (*classifierv1.ActivateModelVersionResponse, error) {
	v, err := l.version(ctx, req.GetVersionId())
	if err != nil {
		return nil, err
	}
	if v.GetOrigin() == classifierv1.ModelVersion_ORIGIN_BUILT_IN && req.GetCanaryPercent() > 0 {
		return nil, fault.InvalidField("canary_percent", "the built-in version cannot be a canary")
	}
	if v.GetState() == classifierv1.ModelVersion_STATE_ACTIVE && req.GetCanaryPercent() > 0 {
		return nil, fault.InvalidField("canary_percent", "the version is the active one")
	}
	if v.GetOrigin() != classifierv1.ModelVersion_ORIGIN_BUILT_IN {
		// A file that this program cannot read would leave the head as it is.
		file, err := l.store.File(ctx, v.GetId())
		if err != nil {
			return nil, storeFault(err, noVersion(v.GetId()))
		}
		if _, err := learn.Load(file); err != nil {
			return nil, fault.InvalidField("version_id", "this program cannot read its file: "+err.Error())
		}
	}
	if err := l.activate(ctx, v, req.GetCanaryPercent()); err != nil {
		return nil, storeFault(err, noVersion(req.GetVersionId()))
	}
	if v, err = l.version(ctx, req.GetVersionId()); err != nil {
		return nil, err
	}
	return &classifierv1.ActivateModelVersionResponse{Version: v}, nil
}

// activate makes a version active, or the canary, here and in the store.
func (l *Learning) activate(ctx context.Context, v *classifierv1.ModelVersion, canary int32) error {
	id := v.GetId()
	if v.GetOrigin() == classifierv1.ModelVersion_ORIGIN_BUILT_IN {
		id = ""
	}
	var err error
	if canary > 0 {
		// A new version that is the same as the active one needs no trial.
		if err = l.store.SetCanary(ctx, v.GetHead(), id, canary); errors.Is(err, store.ErrExists) {
			err = nil
		}
	} else {
		err = l.store.Activate(ctx, v.GetHead(), id, l.now())
	}
	if err != nil {
		return err
	}
	return l.reload(ctx)
}

// RollbackModel makes the version before active; see the contract.
func (l *Learning) RollbackModel(ctx context.Context, req *classifierv1.RollbackModelRequest) (*classifierv1.RollbackModelResponse, error) {
	if err := fault.CheckTexts("head", req.GetHead()); err != nil {
		return nil, err
	}
	set, err := l.heads.builtIn()
	if err != nil {
		return nil, fault.Internal(err)
	}
	head := req.GetHead()
	id, err := l.store.Rollback(ctx, head, set.Model(head) != nil, l.now())
	if errors.Is(err, store.ErrNoPrevious) {
		return nil, noPrevious(head)
	}
	if err != nil {
		return nil, storeFault(err, nil)
	}
	if err := l.reload(ctx); err != nil {
		return nil, storeFault(err, nil)
	}
	if id == "" {
		id = builtInPrefix + head
	}
	v, err := l.version(ctx, id)
	if err != nil {
		return nil, err
	}
	return &classifierv1.RollbackModelResponse{Version: v}, nil
}

// EndCanary ends the canary of a head; see the contract.
func (l *Learning) EndCanary(ctx context.Context, req *classifierv1.EndCanaryRequest) (*classifierv1.EndCanaryResponse, error) {
	if err := fault.CheckTexts("head", req.GetHead()); err != nil {
		return nil, err
	}
	if err := l.store.EndCanary(ctx, req.GetHead()); err != nil {
		return nil, storeFault(err, nil)
	}
	if err := l.reload(ctx); err != nil {
		return nil, storeFault(err, nil)
	}
	return &classifierv1.EndCanaryResponse{}, nil
}

// samplesFilter names a list of samples.
func samplesFilter(owner string, req *classifierv1.ListTrainingSamplesRequest) string {
	return fmt.Sprintf("samples %q %q %q", owner, req.GetHead(), req.GetSourceId())
}
