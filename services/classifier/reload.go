package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// refresh takes up what other processes changed.
func (l *Learning) refresh(ctx context.Context) error {
	revision, err := l.store.Revision(ctx)
	if err != nil {
		return err
	}
	l.reloading.Lock()
	same := revision == l.revision
	l.reloading.Unlock()
	if same {
		return nil
	}
	return l.reload(ctx)
}

// reload puts the stored lineup in place. Versions that answer already are not
// read again, and a canary keeps its counts. A version whose file cannot be
// read is passed over: the head keeps the built-in one.
func (l *Learning) reload(ctx context.Context) error {
	l.reloading.Lock()
	defer l.reloading.Unlock()
	revision, list, err := l.store.Lineup(ctx)
	if err != nil {
		return err
	}
	before := l.heads.loaded()
	if len(list) == 0 && before == nil {
		l.revision = revision // the built-in models are unpacked when they are needed
		return nil
	}
	set, err := l.heads.builtIn()
	if err != nil {
		l.log.Error("the built-in models cannot be read", "error", err)
		set = &learn.Set{}
	}
	versions := builtInLineup(set).versions
	canaries := map[string]*canary{}
	for _, v := range list {
		model, err := l.model(ctx, before, v)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			l.log.Error("a model version cannot be read: it is passed over", "version_id", v.GetId(), "head", v.GetHead(), "error", err)
			continue
		}
		if v.GetState() == classifierv1.ModelVersion_STATE_CANARY {
			canaries[v.GetHead()] = l.canary(before, v, model)
			continue
		}
		with, err := set.With(model)
		if err != nil {
			l.log.Error("a model version does not fit the others: it is passed over", "version_id", v.GetId(), "error", err)
			continue
		}
		set, versions[v.GetHead()] = with, v.GetId()
	}
	l.heads.put(newLineup(set, versions, canaries))
	l.revision = revision
	return nil
}

// model is the model of a version; the one that answers already where it does.
func (l *Learning) model(ctx context.Context, before *lineup, v *classifierv1.ModelVersion) (*learn.Model, error) {
	if before != nil {
		if before.versions[v.GetHead()] == v.GetId() {
			return before.set.Model(v.GetHead()), nil
		}
		if c := before.canaries[v.GetHead()]; c != nil && c.version == v.GetId() {
			return c.model, nil
		}
	}
	file, err := l.store.File(ctx, v.GetId())
	if err != nil {
		return nil, err
	}
	return learn.Load(file)
}

func (l *Learning) canary(before *lineup, v *classifierv1.ModelVersion, model *learn.Model) *canary {
	if before != nil {
		if c := before.canaries[v.GetHead()]; c != nil && c.version == v.GetId() && c.percent == int(v.GetCanaryPercent()) {
			return c
		}
	}
	return &canary{model: model, version: v.GetId(), percent: int(v.GetCanaryPercent()), since: l.now()}
}
