package learn

// settings is everything that training needs to know beyond the rows.
type settings struct {
	scaling scaling
	fitting fitting
	// independent outputs: one yes or no for each label instead of one-of-k.
	independent bool
	shrinkage   float64 // of the gap that a routing head learns
	minRows     int     // rows that a feature must occur in
	folds       int
	dense       bool
	apart       bool // rows of a group are made alike
	views       bool // texts of unknown groups have features of their own
	maxBytes    int  // of the weights, where the caller sets no limit
}

// mostPieces is how many pieces of words are looked at, the first of the text:
// they are most of the work.
const mostPieces = 512

// Where the shape of the data changes the settings.
const (
	longText   = 200  // mean bytes from which on texts are documents
	manyLabels = 50   // labels from which on outputs are independent
	fewRows    = 1000 // rows below which a router's naive-Bayes ratios are noise
	manyRows   = 5000 // rows from which on rare features are dropped
)

// choose finds settings from what the rows look like, by no name. The values
// were found by cross-validation on public data; docs/classifier.md has the
// figures.
func choose(rows []Row, labels int, groups GroupUse) settings {
	var bytes, grouped int
	for i := range rows {
		bytes += len(rows[i].Title) + len(rows[i].Text)
		if rows[i].Group != "" {
			grouped++
		}
	}
	s := settings{minRows: 2, folds: 5, dense: labels <= 8, maxBytes: 1 << 20}
	if labels > manyLabels {
		s.maxBytes = 3 << 19
	}
	if len(rows) > manyRows {
		s.minRows, s.folds = 3, 3
	}
	w := &s.scaling.weight
	for f := range familyCount {
		w[f] = 1
	}
	w[FamilyCue] = 2
	s.scaling.pieces = mostPieces
	switch {
	case rows[0].Routed:
		// Difficulty shows in small things: everything, gently.
		s.scaling.families = familySet(FamilyWord, FamilyBigram, FamilySkip, FamilyChar, FamilyCue, FamilyMeasure)
		s.shrinkage = shrinkage
		s.fitting = fitting{epochs: 10, rate: 0.05, smooth: 0.3, power: 1}
		if len(rows) < fewRows {
			s.fitting.power = 0 // too few for ratios
			s.scaling.families &^= familySet(FamilyChar)
		}
		s.minRows = 3
		s.independent = true
		s.scaling.pieces = 3 * mostPieces
	case bytes/len(rows) >= longText:
		s.scaling.families = familySet(FamilyWord, FamilyBigram, FamilyZone, FamilyLine, FamilyCue)
		w[FamilyZone], w[FamilyBigram] = 1.5, 0.7
		s.fitting = fitting{epochs: 12, rate: 0.1, smooth: 1, power: 1, drop: 0.2}
	case labels > manyLabels:
		s.scaling.families = familySet(FamilyWord, FamilyBigram, FamilySkip, FamilyChar)
		w[FamilyChar] = 0.7
		s.fitting = fitting{epochs: 8, rate: 0.3, smooth: 1, power: 0.5}
		s.independent = true
	default:
		s.scaling.families = familySet(FamilyWord, FamilyBigram, FamilySkip, FamilyChar, FamilyCue, FamilyCode)
		s.fitting = fitting{epochs: 12, rate: 0.1, smooth: 1, power: 1}
	}
	// A router does not know the subject of a text: groups are for labels.
	switch groups {
	case GroupsOn:
		s.scaling.grouped = grouped > 0
	case GroupsOff:
	case GroupsApart:
		s.apart = true
		if labels == 2 {
			s.scaling.families &^= familySet(FamilyChar, FamilySkip)
		}
		s.fitting.drop = 0.3
	default:
		s.scaling.grouped = !rows[0].Routed && grouped*2 > len(rows)
	}
	if s.scaling.grouped {
		s.views = s.dense && bytes/len(rows) >= longText && countGroups(rows) >= leastViewGroups
		if !s.views {
			s.fitting.lone = 0.3
		}
	}
	return s
}

func countGroups(rows []Row) int {
	seen := map[string]bool{}
	for i := range rows {
		seen[rows[i].Group] = true
	}
	return len(seen)
}
