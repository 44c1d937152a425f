// Package control is for tests in Go that rehearse on a mock: give each test a
// session of its own, turn an incident on, put the resources it needs, and hold
// the calls its client made against what they should have been.
//
//	mock := control.In(mockserver.New(fixtures.Default()))   // or control.New("http://127.0.0.1:8080")
//	session, err := mock.NewSession(ctx, "")
//	defer session.Drop(ctx)
//	err = session.Start(ctx, "2026-07-09-empty-504", "share=0.5")
//	…                                                        // a client with session.HTTP() or session.Key
//	err = session.Expect(ctx, control.Called("GET", "/fhir/v2/Practitioner").Times(2))
//
// It speaks the control API over HTTP, or to a handler in the same program
// without a socket.
package control
