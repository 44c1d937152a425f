// A request as a person would write it in a program.

const quoted = (text) => JSON.stringify(text.toWellFormed?.() ?? text);
const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const each = (headers, line) => Object.entries(headers).map(([n, v]) => line(n, v)).join('\n');

const server = (base) => quoted(base.replace(/\/$/, ''));

export const languages = {
  curl: { name: 'curl', write: ({ href }, headers) => `curl -g -i \\\n${each(headers, (n, v) => `  -H ${shell(`${n}: ${v}`)} \\`)}\n  ${shell(href)}` },
  java: { name: 'Java (HAPI FHIR)', write: ({ href, base, rest }, headers) => `FhirContext context = FhirContext.forR4();
context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.NEVER);
IGenericClient client = context.newRestfulGenericClient(${server(base)});
var headers = new AdditionalRequestHeadersInterceptor();
${each(headers, (n, v) => `headers.addHeaderValue(${quoted(n)}, ${quoted(v)});`)}
client.registerInterceptor(headers);

${java(href, rest)}` },
  csharp: { name: 'C# (Firely SDK)', write: ({ href, base, rest }, headers) => `using var http = new HttpClient();
${each(headers, (n, v) => `http.DefaultRequestHeaders.Add(${quoted(n)}, ${quoted(v)});`)}
var settings = new FhirClientSettings { PreferredFormat = ResourceFormat.Json, VerifyFhirVersion = false };
var client = new FhirClient(${server(base)}, http, settings);

Resource? answer = await client.GetAsync(${quoted(rest)});` },
  python: { name: 'Python (requests)', write: ({ href }, headers) => `import requests

answer = requests.get(
    ${quoted(href)},
    headers={
${each(headers, (n, v) => `        ${quoted(n)}: ${quoted(v)},`)}
    },
    timeout=30,
)
answer.raise_for_status()
print(answer.json())` },
  javascript: { name: 'JavaScript (fetch)', write: ({ href }, headers) => `const answer = await fetch(${quoted(href)}, {
  headers: {
${each(headers, (n, v) => `    ${quoted(n)}: ${quoted(v)},`)}
  },
  signal: AbortSignal.timeout(30_000),
});
if (!answer.ok) throw new Error(\`\${answer.status} \${await answer.text()}\`);
console.log(await answer.json());` },
  go: { name: 'Go (net/http)', write: ({ href }, headers) => `ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
defer cancel()
request, err := http.NewRequestWithContext(ctx, http.MethodGet, ${quoted(href)}, nil)
if err != nil {
	return err
}
${each(headers, (n, v) => `request.Header.Set(${quoted(n)}, ${quoted(v)})`)}
response, err := http.DefaultClient.Do(request)
if err != nil {
	return err
}
defer response.Body.Close()
if response.StatusCode != http.StatusOK {
	return fmt.Errorf("the directory answers %s", response.Status)
}
body, err := io.ReadAll(response.Body)` },
};

function java(href, rest) {
  const [path, query] = rest.split('?');
  const [type, id] = path.split('/');
  if (path === 'metadata') return 'CapabilityStatement answer = client.capabilities().ofType(CapabilityStatement.class).execute();';
  if (path === '_page') return `Bundle answer = client.loadPage().byUrl(${quoted(href)}).andReturnBundle(Bundle.class).execute();`;
  if (id && query === undefined) return `IBaseResource answer = client.read().resource(${quoted(type)}).withId(${quoted(id)}).execute();`;
  return `Bundle answer = client.search().byUrl(${quoted(rest)}).returnBundle(Bundle.class).execute();`;
}

export const snippet = (language, address, headers) => languages[language in languages ? language : 'curl'].write(address, headers);
