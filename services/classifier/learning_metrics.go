package classifier

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

type learningMetrics struct {
	feedback, samples, trainings *prometheus.CounterVec
	trained                      *prometheus.GaugeVec
	accuracy                     *prometheus.GaugeVec
}

func newLearningMetrics(registry prometheus.Registerer) (*learningMetrics, error) {
	m := &learningMetrics{
		feedback: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_classifier_feedback_total", Help: "Feedback that was stored, by head.",
		}, []string{"head"}),
		samples: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_classifier_samples_total", Help: "Training samples that were stored, by head and origin.",
		}, []string{"head", "origin"}),
		trainings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_classifier_trainings_total", Help: "Trainings that ended, by head and how.",
		}, []string{"head", "outcome"}),
		trained: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gptmesh_classifier_trained_timestamp_seconds", Help: "When the last training of a head began, since 1970; of heads that have samples.",
		}, []string{"head"}),
		accuracy: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gptmesh_classifier_heldout_accuracy", Help: "Accuracy of the newest trained version on samples that it was not trained on, by head.",
		}, []string{"head"}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.feedback, m.samples, m.trainings, m.trained, m.accuracy} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// headName is a head as a label of metrics: heads of a client's own making are
// one, so that their number has a bound.
func headName(head string) string {
	if slices.Contains([]string{
		headTaskType, headComplexity, headRoute, headTools, headVision, headLongContext, headReasoning, headInjection, headJailbreak, "language", "intent",
	}, head) {
		return head
	}
	return "other"
}
