package learn

// Kind is what a head gives.
type Kind string

// The kinds.
const (
	// KindLabel chooses one of the labels.
	KindLabel Kind = "label"
	// KindRouting predicts how much a text needs the strong model.
	KindRouting Kind = "routing"
)

// Metadata is what a model says about itself. It is stored in its file as
// JSON.
type Metadata struct {
	// Head is the name of the head.
	Head string `json:"head"`
	// Kind is what the head gives.
	Kind Kind `json:"kind"`
	// Version is the start of the digest of the weights and of the data: equal
	// for equal models.
	Version string `json:"version"`
	// Labels are the outputs, in the order of the weights.
	Labels []string `json:"labels"`
	// OutOfScope is the label for texts that belong to none of the others;
	// empty where the data have none.
	OutOfScope string `json:"out_of_scope,omitempty"`
	// Groups are the groups of which the model keeps features of their own.
	Groups []string `json:"groups,omitempty"`
	// Training says what it was trained on and how.
	Training Training `json:"training"`
	// Features says what the weights look at.
	Features FeatureSettings `json:"features"`
	// Calibration turns scores into probabilities.
	Calibration Calibration `json:"calibration"`
	// Validation is what was measured on rows that were held out.
	Validation Validation `json:"validation"`
	// Top are the strongest features of every label, at most 12 each.
	Top []LabelFeatures `json:"top,omitempty"`
}

// Training says where a model comes from.
type Training struct {
	// Rows is how many rows it was trained on.
	Rows int `json:"rows"`
	// Digest is the SHA-256 of the rows, whatever their order.
	Digest string `json:"digest"`
	// Source names the public origin of the data, as given.
	Source string `json:"source,omitempty"`
	// Licence is the note about the data's licence, as given.
	Licence string `json:"licence,omitempty"`
	// Seed is the seed of every random choice.
	Seed uint64 `json:"seed"`
	// Folds is how many parts the cross-validation had.
	Folds int `json:"folds"`
	// Epochs is how often every row was visited.
	Epochs int `json:"epochs"`
	// Rate is the first step size.
	Rate float64 `json:"rate"`
	// Outputs is "one-of-k" or "independent".
	Outputs string `json:"outputs"`
	// NaiveBayes is the exponent of the naive-Bayes ratio; 0 is without.
	NaiveBayes float64 `json:"naive_bayes"`
}

// FeatureSettings says what a head looks at.
type FeatureSettings struct {
	// Window is how many words a windowed head looks at together; 0 for other
	// heads. Such a head has no families.
	Window int `json:"window,omitempty"`
	// Families is the set, by name.
	Families []string `json:"families"`
	// Weights are the families' factors, in the same order.
	Weights []float64 `json:"weights"`
	// Pieces is how many pieces of words are looked at; 0 is all.
	Pieces int `json:"pieces,omitempty"`
	// Grouped says that groups have features of their own.
	Grouped bool `json:"grouped,omitempty"`
	// Views are how texts of unknown groups are looked at; none where the
	// shared features judge them.
	Views []View `json:"views,omitempty"`
	// Kept and Seen are how many features the model keeps and how many the
	// rows had.
	Kept int `json:"kept"`
	Seen int `json:"seen"`
}

// Calibration is fitted on rows that were held out.
type Calibration struct {
	// Temperature divides the scores of a label head. Alone is that for texts
	// of an unknown group.
	Temperature float64 `json:"temperature,omitempty"`
	Alone       float64 `json:"alone,omitempty"`
	// Accept is the least confidence at which the held-out rows were right as
	// often as TargetAccuracy demands; above 1 where no confidence was enough.
	Accept         float64 `json:"accept,omitempty"`
	TargetAccuracy float64 `json:"target_accuracy,omitempty"`
	// Scope is slope and offset of the score that a text is out of scope, by
	// the lead of the label for such texts; Reject is the score from which it
	// is held to be.
	Scope  []float64 `json:"scope,omitempty"`
	Reject float64   `json:"reject,omitempty"`
	// Slopes and Offsets give the probability of every output of a routing
	// head: 1 / (1 + exp(-(slope × score + offset))).
	Slopes  []float64 `json:"slopes,omitempty"`
	Offsets []float64 `json:"offsets,omitempty"`
	// Need is how a routing head's need is made.
	Need *NeedRules `json:"need,omitempty"`
}

// Validation is measured by cross-validation on the training rows.
type Validation struct {
	Accuracy  float64         `json:"accuracy,omitempty"`
	MacroF1   float64         `json:"macro_f1,omitempty"`
	ECEBefore float64         `json:"ece_before,omitempty"`
	ECE       float64         `json:"ece,omitempty"`
	Coverage  []CoveragePoint `json:"coverage,omitempty"`
	Routing   *RoutingFigures `json:"routing,omitempty"`
	// UnknownGroups is what was measured on groups that were left out.
	UnknownGroups *UnknownGroups `json:"unknown_groups,omitempty"`
	// Scores are the APGR of P(strong right) − P(weak right), of
	// 1 − P(weak right), and of the length alone.
	Scores map[string]float64 `json:"scores,omitempty"`
}

// UnknownGroups is how well texts of groups that a head never saw are judged:
// measured with every group left out in turn.
type UnknownGroups struct {
	Groups   int     `json:"groups"`
	Accuracy float64 `json:"accuracy"`
	// MacroF1ByGroupMean is the mean of the groups' macro F1.
	MacroF1ByGroupMean float64 `json:"macro_f1_by_group_mean"`
	ECE                float64 `json:"ece"`
}

// LabelFeatures is what speaks for one label.
type LabelFeatures struct {
	Label    string          `json:"label"`
	Features []FeatureWeight `json:"features"`
}

// FeatureWeight is one feature with its weight.
type FeatureWeight struct {
	Feature string  `json:"feature"`
	Weight  float64 `json:"weight"`
}
