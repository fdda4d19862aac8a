package learn

import (
	"errors"
	"fmt"
	"slices"
)

// ErrKind is wrapped where rows and model are of different kinds.
var ErrKind = errors.New("rows and model do not fit together")

// accepts says whether rows are of the model's kind.
func (m *Model) accepts(rows []Row) error {
	if len(rows) == 0 {
		return fmt.Errorf("%w: there are no rows", ErrKind)
	}
	routing := m.meta.Kind == KindRouting
	for i := range rows {
		switch {
		case routing && !rows[i].Routed:
			return fmt.Errorf(`%w: the head %q needs the fields "weak" and "strong"`, ErrKind, m.meta.Head)
		case !routing && rows[i].Routed:
			return fmt.Errorf(`%w: the head %q needs the field "label"`, ErrKind, m.meta.Head)
		}
	}
	return nil
}

// Calibrate returns a copy of the model whose temperature, thresholds and
// validation figures are fitted on the given rows, which should be rows that
// it was not trained on. The weights stay. It takes at least MinRows rows.
// target is the accuracy that accepted answers shall have; 0 keeps the
// model's.
func (m *Model) Calibrate(rows []Row, target float64) (*Model, error) {
	if err := m.accepts(rows); err != nil {
		return nil, err
	}
	if len(rows) < MinRows {
		return nil, fmt.Errorf("%w: %d, the least is %d", ErrTooFew, len(rows), MinRows)
	}
	if target < 0 || target > 1 {
		return nil, errors.New("the target accuracy must be above 0 and at most 1")
	}
	scores := make([][]float32, len(rows))
	class := make([]int32, len(rows))
	var known, unknown [][]float32
	var knownClass, unknownClass []int32
	for i := range rows {
		s := new(scratch)
		s.begin(rows[i].Document, m.scaling.families, m.scaling.pieces)
		z, fromGroup := m.scores(s)
		scores[i] = z
		class[i] = int32(slices.Index(m.meta.Labels, rows[i].Label))
		if fromGroup || !m.scaling.grouped {
			known, knownClass = append(known, z), append(knownClass, class[i])
		} else {
			unknown, unknownClass = append(unknown, z), append(unknownClass, class[i])
		}
	}
	meta := m.meta
	if meta.Kind == KindRouting {
		for i := range rows {
			if !routable(&rows[i]) {
				return nil, errors.New(`to learn from them, "weak" and "strong" must be from 0 to 1`)
			}
		}
		c, v := fitRouting(rows, scores)
		return m.withCalibration(c, v)
	}
	if len(known) >= MinRows {
		meta.Calibration.Temperature = fitTemperature(known, knownClass)
	}
	if len(unknown) >= MinRows {
		meta.Calibration.Alone = fitTemperature(unknown, unknownClass)
	}
	if target > 0 {
		meta.Calibration.TargetAccuracy = target
	}
	scope := slices.Index(meta.Labels, meta.OutOfScope)
	keepScope, keepReject := meta.Calibration.Scope, meta.Calibration.Reject
	calibrateLabels(&meta, scores, class)
	if m.windowed {
		meta.Calibration.Accept = riskThreshold(scores, class, m.risk, meta.Calibration.Temperature)
	}
	if scope >= 0 && !slices.Contains(class, int32(scope)) {
		meta.Calibration.Scope, meta.Calibration.Reject = keepScope, keepReject
	}
	return m.withCalibration(meta.Calibration, meta.Validation)
}
