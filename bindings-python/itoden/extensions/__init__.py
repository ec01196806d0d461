"""Extensions of the protocol: permessage-deflate is the one there is."""
