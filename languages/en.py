# English is the language of the code: nothing to translate.
{}
