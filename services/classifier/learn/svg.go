package learn

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
)

// SVG draws two panels: the calibration curve (accuracy by confidence, the
// area of a dot by its rows) and the coverage curve (accuracy by the share of
// rows that is answered).
func SVG(e *Evaluation) []byte {
	const size, left, top, gap = 320, 60, 50, 90
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", 2*size+left+gap+30, size+top+60)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">`, x, y, anchor)
		// A bytes.Buffer does not fail.
		_ = xml.EscapeText(&b, []byte(s))
		b.WriteString("</text>\n")
	}
	panel := func(x0 float64, title, across, up string) {
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%d" height="%d" fill="none" stroke="#444"/>`+"\n", x0, top, size, size)
		text(x0+size/2, top-12, "middle", title)
		text(x0+size/2, top+size+38, "middle", across)
		fmt.Fprintf(&b, `<g transform="rotate(-90 %.1f %d)">`, x0-38, top+size/2)
		text(x0-38, top+size/2, "middle", up)
		b.WriteString("</g>\n")
		for i := range 6 {
			v := float64(i) / 5
			text(x0+v*size, top+size+18, "middle", fmt.Sprintf("%.1f", v))
			text(x0-6, top+size-v*size+4, "end", fmt.Sprintf("%.1f", v))
			if i > 0 && i < 5 {
				fmt.Fprintf(&b, `<path d="M%.1f %d v%d M%.1f %.1f h%d" stroke="#ddd"/>`+"\n", x0+v*size, top, size, x0, top+size-v*size, size)
			}
		}
	}
	y := func(v float64) float64 { return top + size - v*size }
	panel(left, fmt.Sprintf("%s: calibration, error %.3f", e.Head, e.ECE), "confidence", "accuracy")
	fmt.Fprintf(&b, `<path d="M%d %d L%d %d" stroke="#999" stroke-dasharray="4 4"/>`+"\n", left, top+size, left+size, top)
	path := ""
	for i, bin := range e.Calibration {
		x := left + bin.Confidence*size
		path += fmt.Sprintf("%s%.1f %.1f ", map[bool]string{true: "M", false: "L"}[i == 0], x, y(bin.Accuracy))
		share := float64(bin.Rows) / float64(max(e.Rows, 1))
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="#1f77b4" fill-opacity="0.5"/>`+"\n", x, y(bin.Accuracy), 3+20*math.Sqrt(share))
	}
	fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="#1f77b4" stroke-width="2"/>`+"\n", path)
	right := float64(left + size + gap)
	panel(right, "coverage", "share of rows answered", "accuracy")
	path = ""
	for i, p := range e.Coverage {
		path += fmt.Sprintf("%s%.1f %.1f ", map[bool]string{true: "M", false: "L"}[i == 0], right+p.Coverage*size, y(p.Accuracy))
	}
	fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="#d62728" stroke-width="2"/>`+"\n</svg>\n", path)
	return b.Bytes()
}
