// Package harness runs the mesh as its users do: the built program, in one
// process or in many, on either store, against scripted providers.
//
// A test says what it needs and runs one body over every combination of shape
// and store:
//
//	func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
//
//	func TestAnswer(t *testing.T) {
//		harness.Each(t, func(t *testing.T, c harness.Combination) {
//			p := provider.Start(t, provider.Config{OpenAI: []string{"m"}})
//			mesh := harness.Start(t, harness.Config{Combination: c, Provider: p})
//
// The program is built once per test binary; GPTMESH_BIN names one to use
// instead. Processes end with the test, and on Linux with the test binary,
// however it ends. What a process logged is shown when its test fails.
package harness
