package behaviour

const fidelityIntroduction = `# How faithful the mock is

This page is generated from the table in ` + "`internal/behaviour`" + `; edit that.

Nobody who wrote this mock has called the real service. What it does was read in the public source code of ANS's FHIR
server and of the Gravitee gateway, in ANS's documentation, implementation guide and issue threads. So each behaviour
says on what evidence it stands:

| evidence | meaning |
|---|---|
| observed | somebody saw it on the real service and published it |
| documented | ANS's documentation or guide promises it |
| source | it was read in the public source code |
| assumed | nobody outside ANS can know; it is our choice, and often a switch |

Profile ` + "`production`" + ` imitates the service as its users meet it; profile ` + "`source`" + ` imitates the public
source code of July 2025.
`

const fidelityEnd = `
## What net/http does in Gravitee's place

Go's HTTP server answers some malformed requests before any handler sees them, a bad escape in the path among them. Served by the command ` + "`mockfhir`" + `
these replies are rewritten to the bytes of Gravitee's HTTP stack; behind ` + "`httptest`" + ` they stay Go's. Go sorts
header names and prints its own reason phrases, and answers ` + "`Expect: 100-continue`" + ` by itself.
`
