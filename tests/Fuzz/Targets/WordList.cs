using System;
using System.Text;

namespace Strato.Tests.Fuzz.Targets;

/// <summary>Words as bytes.</summary>
internal static class WordList
{
    public static byte[][] Of(params string[] words) => Array.ConvertAll(words, Encoding.UTF8.GetBytes);
}
