namespace Strato.Engine.Cli;

internal static class Program
{
    private static int Main() => ProbeCommand.Run();
}
