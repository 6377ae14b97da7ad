using System.CommandLine;
using System.Threading.Tasks;

namespace ScoutFs.Cli;

/// <summary><c>completion</c>: prints the script that makes a shell complete this program's command lines.</summary>
/// <remarks>
/// The scripts ask the program itself, through the library's [suggest] directive, so they never go out of date. Where
/// the program has nothing to say they leave the word to the shell, which completes file names.
/// </remarks>
internal static class CompletionCommand
{
    private const string Bash = """
        _scoutfs_complete() {
            local word="${COMP_WORDS[COMP_CWORD]}" suggestion
            COMPREPLY=()
            while IFS= read -r suggestion; do
                [[ "$suggestion" == -* && "$word" != -* ]] && continue
                [[ "$suggestion" == "$word"* ]] && COMPREPLY+=("$suggestion")
            done < <(scoutfs "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)
        }
        complete -o bashdefault -o default -F _scoutfs_complete scoutfs
        """;

    private const string Zsh = """
        #compdef scoutfs
        _scoutfs() {
            local line="$words" suggestion
            local -a suggestions
            for suggestion in "${(@f)$(scoutfs "[suggest:${#line}]" "$line" 2>/dev/null)}"; do
                [[ "$suggestion" == -* && "$words[CURRENT]" != -* ]] && continue
                [[ -n "$suggestion" ]] && suggestions+=("$suggestion")
            done
            compadd -- $suggestions || _files
        }
        compdef _scoutfs scoutfs
        """;

    private const string Fish = """
        function __scoutfs_complete
            set -l line (commandline -cp)
            set -l word (commandline -ct)
            for suggestion in (scoutfs "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null)
                if not string match -q -- '-*' $suggestion; or string match -q -- '-*' "$word"
                    echo $suggestion
                end
            end
        end
        complete -c scoutfs -a '(__scoutfs_complete)'
        """;

    private const string PowerShell = """
        Register-ArgumentCompleter -Native -CommandName scoutfs -ScriptBlock {
            param($word, $ast, $cursor)
            scoutfs "[suggest:$cursor]" "$ast" 2>$null |
                Where-Object { -not ($_.StartsWith('-') -and -not $word.StartsWith('-')) } |
                ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
                }
        }
        """;

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh, fish or pwsh." };
        _ = shell.AcceptOnlyFromAmong("bash", "zsh", "fish", "pwsh");
        var command = new CliCommand("completion", "Prints a script that makes a shell complete scoutfs commands.")
        {
            Examples =
            {
                new("completion bash > /etc/bash_completion.d/scoutfs", "Complete in every new bash"),
                new("completion zsh > ~/.zfunc/_scoutfs", "Complete in zsh, with ~/.zfunc in fpath"),
                new("completion fish > ~/.config/fish/completions/scoutfs.fish", "Complete in fish"),
                new("completion pwsh | Out-String | Invoke-Expression", "Complete in this PowerShell"),
            },
        };
        command.Add(shell);
        command.OnRun((parse, console, _) =>
        {
            string script = parse.GetRequiredValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh,
                "fish" => Fish,
                _ => PowerShell,
            };
            console.Print(script);
            return Task.FromResult(0);
        });
        return command;
    }
}
