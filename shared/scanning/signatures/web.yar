// Programs for web servers that hide in uploads and wait to be served: MITRE ATT&CK T1505.003.

// "China Chopper" and its kin: one line of ASP or ASP.NET that runs what a request sends.
rule asp_web_shell {
    meta:
        date = "2026-11-24"
        reach = 320
    strings:
        $shell = /<%.{0,256}\b(eval|execute|executeglobal)\s{0,4}\(?\s{0,4}request\s{0,4}[.(\["]/is
    condition:
        any of them
}

rule jsp_web_shell {
    meta:
        date = "2026-11-24"
        reach = 320
    strings:
        $shell = /getRuntime\(\)\s{0,4}\.\s{0,4}exec\s{0,4}\(.{0,128}request\s{0,4}\.\s{0,4}getParameter\s{0,4}\(/s
    condition:
        any of them
}
