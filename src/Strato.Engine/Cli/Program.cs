using System;
using System.Text;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Cli;

/// <summary>The engine's entry point.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        bool inBackground = Daemon.IsChild(out int daemonDescriptor);
        ReadyPipe ready = new(inBackground ? daemonDescriptor : Options.FindReadyDescriptor(args));
        Options options;
        try
        {
            Log.Levels = LogLevels.Parse(Environment.GetEnvironmentVariable(LogLevels.Variable));
            options = Options.Parse(args);
        }
        catch (UserErrorException error)
        {
            return Report(error, ready, error.Id is "UnknownOption" or "InvalidOption" ? EngineExit.Usage : EngineExit.Error);
        }

        if (options.Help)
        {
            return Print(OptionTable.HelpText());
        }

        if (options.Version)
        {
            return Print($"strato-engine {StratoVersion.Number}\n");
        }

        if (options.Probe)
        {
            return ProbeCommand.Run();
        }

        try
        {
            if (options.CpuHelp)
            {
                return Print(CpuOption.ListText());
            }

            // Before the engine in the background is started, which then is in it as well.
            SandboxOption.PrepareProcess(options, args);
            if (options.Configuration.Daemonize && !inBackground)
            {
                if (options.Configuration.LogFile is null)
                {
                    // The engine in the background writes to nobody.
                    LogWarnings(options);
                }

                int code = Daemon.Launch(args, FileSetOption.Named(options), ready.Descriptor, out UserErrorException? failure);
                if (failure is not null)
                {
                    return Report(failure, ready, code);
                }

                ready.Succeed();
                return code;
            }

            // A file at the process's limit of size must fail the write, not end the engine.
            Libc.IgnoreSignal(Libc.SIGXFSZ);
            using LogFile? log = LogFile.Open(options.Configuration.LogFile);
            LogWarnings(options);
            FileSetOption.Take(options);
            return EngineRun.Run(options, log, ready);
        }
        catch (UserErrorException error)
        {
            return Report(options.Locate(error), ready, EngineExit.Error);
        }
        catch (LinuxException error)
        {
            return Report(new UserErrorException("HostError", $"The host refuses a request: {error.Message}.", "", error), ready, EngineExit.Error);
        }
    }

    private static void LogWarnings(Options options) => options.Warnings.ForEach(warning => Log.Warning("options", warning));

    private static int Report(UserErrorException error, ReadyPipe ready, int exitCode)
    {
        ready.Fail(error);
        Log.Error("engine", $"{error.ToLine()} [{error.Id}]");
        return exitCode;
    }

    private static int Print(string text)
    {
        _ = Libc.Write(1, Encoding.UTF8.GetBytes(text));
        return 0;
    }
}
