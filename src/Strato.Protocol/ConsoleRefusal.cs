namespace Strato.Protocol;

/// <summary>Why the engine refuses a client of the console's socket: the <c>id</c> in its line <c>{"id":"…","error":"…"}</c>, and the ErrorId of a cmdlet.</summary>
public static class ConsoleRefusal
{
    /// <summary>Another client is attached; <c>take</c> detaches it.</summary>
    public const string Busy = "ConsoleBusy";

    /// <summary>Input of many clients waits for a guest that doesn't read it; <c>take</c> drops it.</summary>
    public const string InputFull = "ConsoleInputFull";

    /// <summary>More clients than the engine serves at once.</summary>
    public const string TooManyClients = "ConsoleClientLimit";

    /// <summary>The first line isn't a request, is too long, or asks for what isn't there.</summary>
    public const string RequestInvalid = "ConsoleRequestInvalid";

    /// <summary>The first line didn't come in time.</summary>
    public const string RequestTimeout = "ConsoleRequestTimeout";

    /// <summary>The host gives the engine no timer or descriptor for one more client.</summary>
    public const string HostError = "ConsoleHostError";
}
